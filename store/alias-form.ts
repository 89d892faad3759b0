/** Of a model's alias; `v3` is a version. Apart from the registry, for declarations that name it are light. */
export const ALIAS_FORM = {
  pattern: /^(?!v\d+$)[A-Za-z][A-Za-z0-9._-]*$/,
  expected: "a letter, then letters, digits, '.', '_', '-', but no version such as v3",
} as const;
