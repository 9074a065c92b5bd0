"""
Webhooks in web frameworks: `hookwright.integrations.flask`, `.fastapi` (Starlette too) and
`.django`. Each needs its framework, which this package does not install.
"""

from __future__ import annotations


def missing(framework: str, package: str) -> ImportError:
    """What is raised where the framework is not installed."""
    return ImportError(
        f"hookwright.integrations.{package.lower()} needs {framework}; install {package!r}",
        name=package.lower(),
    )
