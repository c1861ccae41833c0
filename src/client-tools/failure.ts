/** A client tool that is not there, does not fit, or has failed. What it says holds no password; the caller knows the code for it. */
export class ToolError extends Error {
  override readonly name = 'ToolError';

  constructor(
    message: string,
    /** An imperative, where more is known than what the tool said. */
    readonly remedy?: string,
    options: ErrorOptions = {},
  ) {
    super(message, options);
  }
}
