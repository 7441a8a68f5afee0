import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

/** The folders whose modules the rules are about. */
export const MODULES = ['common', 'manager', 'netdriver', 'swarmctl', 'swarmd', 'worker'] as const;

/**
 * Reads all modules of the working directory and judges them by `.dependency-cruiser.cjs`.
 *
 * @throws Error when a folder's modules were not read, because then no rule says anything about them.
 */
export async function cruiseModules(): Promise<ICruiseResult> {
  const options = await extractDepcruiseOptions('./.dependency-cruiser.cjs');
  const tsConfig = extractTSConfig('./tsconfig.json');
  const { output } = await cruise([...MODULES], options, undefined, { tsConfig });
  if (typeof output === 'string') throw new Error(`an object was expected, not: ${output}`);
  for (const module of MODULES) {
    if (!output.modules.some(({ source }) => source.startsWith(`${module}/`))) {
      throw new Error(`no module of ${module}/ was read; is there a parser for its files?`);
    }
  }
  return output;
}
