import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["build", "dist", "codegen", "src/generated", "tests/readme", "*.mjs"] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./tsconfig.tests.json" } },
    rules: {
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_+$", varsIgnorePattern: "^_+$" },
      ],
      "@typescript-eslint/prefer-promise-reject-errors": "off", // what a signal was aborted with
      "@typescript-eslint/no-this-alias": "off", // a loop that begins with itself
      "@typescript-eslint/require-await": "off", // frameworks want promises of functions that wait for nothing
      "@typescript-eslint/only-throw-error": "off",
      "no-control-regex": "error",
    },
  },
  {
    files: ["tests/**"],
    rules: {
      // node:test gives promises that nobody waits for, and JSON is of any type.
      "@typescript-eslint/no-floating-promises": "off",
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
      "@typescript-eslint/no-unsafe-return": "off",
      "@typescript-eslint/no-misused-promises": "off",
    },
  },
);
