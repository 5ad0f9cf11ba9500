/** Why a file, or a document in one, was not looked at. */
export interface InputProblem {
  readonly file: string;
  /** From 1; undefined where the whole file could not be read. */
  readonly line?: number;
  readonly column?: number;
  /** Names the file, and the place in it. */
  readonly message: string;
  readonly hint?: string;
}
