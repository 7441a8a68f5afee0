import { SwarmError } from '../../common/errors.ts';
import { type Random, randomInt } from '../../common/random.ts';

const VALID = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

const QUALITIES =
  'amber brave brisk calm clever crisp daring eager early fair fast fine fluent gentle glad golden grand happy honest humble jolly keen kind lively loyal lucid lucky mellow merry mighty modest nimble noble patient placid plucky polite proud prudent quick quiet rapid ready robust rosy serene sharp shiny silent sincere smooth snappy sober solid spry stable steady sturdy sunny swift tidy vivid warm witty'.split(
    ' ',
  );

const THINGS =
  'acorn alder anchor badger beacon beech birch bison canyon cedar comet coral crane cypress dolphin eagle ember falcon fern fjord garnet gecko glacier harbor hazel heron ibex iris jasper juniper kestrel lagoon lantern larch lark lynx maple marten meadow meteor nebula oak orca osprey otter pebble pine plover quartz raven reef ridge river robin sable spruce stork sumac thistle tiger tulip willow wren'.split(
    ' ',
  );

/** Throws SWM_INVALID_ARGUMENT for a name that Docker would not take either. */
export function checkName(name: string): void {
  if (VALID.test(name)) return;
  const message = `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`;
  throw new SwarmError('SWM_INVALID_ARGUMENT', message);
}

/** A name for a container that was given none: two words, and a number once those are taken. */
export function generateName(random: Random, taken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const words = `${pick(random, QUALITIES)}_${pick(random, THINGS)}`;
    const name = attempt < 3 ? words : `${words}${randomInt(random, 0, 10 ** attempt)}`;
    if (!taken(name)) return name;
  }
}

function pick(random: Random, words: readonly string[]): string {
  return words[randomInt(random, 0, words.length - 1)] as string;
}
