import { type Random, randomInt } from '../../common/random.ts';

const ADJECTIVES =
  'agile amber brave bright brisk calm clear clever cosmic crisp daring deft eager early fair fleet gentle glad golden grand happy humble jolly keen kind lively loyal lucid merry mild modest noble patient proud quick quiet ready silver smart steady still sunny swift tidy vivid warm wise witty'.split(
    ' ',
  );

const ANIMALS =
  'albatross auk bee bison bumblebee condor crane curlew dolphin dragonfly eider falcon finch firefly gannet gazelle goose grebe heron hornet ibis jackdaw kestrel kingfisher lapwing linnet marten merlin nightjar osprey otter petrel pipit plover puffin raven robin sandpiper shearwater siskin skylark starling stork swallow swan swift tern thrush wagtail warbler'.split(
    ' ',
  );

/** For a service without a name: two words of this list, about 2,400 of them. */
export function generatedName(random: Random): string {
  const pick = (words: readonly string[]) => words[randomInt(random, 0, words.length - 1)];
  return `${pick(ADJECTIVES)}_${pick(ANIMALS)}`;
}
