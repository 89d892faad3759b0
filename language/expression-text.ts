/** Text that is evaluated when the run gets there. */
export const EXPRESSION = /\$\{\{/;
/** Text that stays as it is: an expression in it would never be evaluated. */
export const NO_EXPRESSION = /^(?![\s\S]*\$\{\{)/;
