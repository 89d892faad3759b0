/** Why a file with step kinds cannot be used; the message says where and what to do. */
export class StepFileError extends Error {
  override readonly name = 'StepFileError';
}
