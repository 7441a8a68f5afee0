/**
 * The exit code that a shell would give for a program that could not be started; `otherwise` when the
 * program is not the reason.
 */
export function startFailureCode(message: string, otherwise: number): number {
  if (/executable file not found|no such file or directory/.test(message)) return 127;
  if (/permission denied|is a directory|not a directory/.test(message)) return 126;
  return otherwise;
}
