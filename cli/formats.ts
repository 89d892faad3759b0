/** How `check` writes what it found: for a person, a program, GitHub's checks, a code scanner. */
export const FORMATS = ['text', 'json', 'github', 'sarif'] as const;
export type Format = (typeof FORMATS)[number];
