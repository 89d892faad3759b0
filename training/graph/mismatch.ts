/** What an operator is applied to does not fit it; the message goes on from the operator's name. */
export class Mismatch extends Error {}
