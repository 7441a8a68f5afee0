import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { CliError } from '../cli-error.ts';
import { type Context, print } from '../context.ts';
import { collectParsed, parseDuration, parseFields } from '../options/parse.ts';
import { waitForRotation } from '../swarm/root-progress.ts';
import type { ExternalCa, Swarm } from './api-types.ts';

/** An external CA as it is written on the command line; `cacert` is still the path of a file. */
export type ExternalCaFlag = ExternalCa;

interface CaFlags {
  rotate?: boolean;
  caCert?: string;
  caKey?: string;
  certExpiry?: number;
  externalCa?: readonly ExternalCaFlag[];
  detach?: boolean;
  quiet?: boolean;
}

/** Only of use with `--rotate`, by their names on the command line. */
const ROTATION_FLAGS = [
  ['caCert', 'ca-cert'],
  ['caKey', 'ca-key'],
  ['certExpiry', 'cert-expiry'],
  ['externalCa', 'external-ca'],
] as const;

/** `swarm ca`: prints the root certificate, or replaces it. */
export function addCaCommand(parent: Command, context: Context): void {
  parent
    .command('ca')
    .description('Print the root CA certificate of the swarm, or rotate it')
    .option('--rotate', 'replace it; all certificates and join tokens are renewed')
    .option('--ca-cert <file>', 'PEM of the new root; one is made if it is not given')
    .option('--ca-key <file>', 'PEM of its key')
    .option('--cert-expiry <duration>', 'validity of node certificates', parseDuration)
    .addOption(externalCaOption())
    .option('-d, --detach', 'do not wait until all nodes have new certificates')
    .option('-q, --quiet', 'no progress')
    .action((flags: CaFlags) => (flags.rotate ? rotate(context, flags) : show(context, flags)));
}

export function externalCaOption(): Option {
  return new Option('--external-ca <spec>', 'protocol=cfssl,url=https://…[,cacert=FILE]').argParser(
    collectParsed(parseExternalCa),
  );
}

/** Reads the files that the flags name. One that names none signs for `rootPem`. */
export async function readExternalCas(
  flags: readonly ExternalCaFlag[],
  rootPem = '',
): Promise<ExternalCa[]> {
  return Promise.all(
    flags.map(async (flag) => ({
      ...flag,
      CACert: flag.CACert ? await readPem(flag.CACert) : rootPem,
    })),
  );
}

async function show(context: Context, flags: CaFlags): Promise<void> {
  const misplaced = ROTATION_FLAGS.find(([key]) => flags[key] !== undefined);
  if (misplaced) {
    const message = `\`--${misplaced[1]}\` flag requires the \`--rotate\` flag to update the CA`;
    throw new CliError(message);
  }
  await printRoot(context);
}

async function rotate(context: Context, flags: CaFlags): Promise<void> {
  if (flags.caKey && !flags.caCert) {
    throw new CliError('the --ca-key flag requires the --ca-cert flag');
  }
  if (flags.caCert && !flags.caKey && !flags.externalCa) {
    throw new CliError(
      'the --ca-cert flag requires that a --ca-key flag and/or --external-ca flag be provided as well',
    );
  }
  const { Spec, Version } = await context.api.get<Swarm>('/swarm');
  await context.api.post('/swarm/update', {
    query: { version: Version.Index },
    body: { ...Spec, CAConfig: { ...Spec.CAConfig, ...(await caConfig(Spec.CAConfig, flags)) } },
  });
  if (flags.detach) return;
  await waitForRotation(context, { quiet: flags.quiet ?? false });
  if (!flags.quiet) await printRoot(context);
}

async function caConfig(before: Swarm['Spec']['CAConfig'], flags: CaFlags) {
  const SigningCACert = flags.caCert ? await readPem(flags.caCert) : '';
  const SigningCAKey = flags.caKey ? await readPem(flags.caKey) : '';
  return {
    SigningCACert,
    SigningCAKey,
    ...(SigningCACert ? {} : { ForceRotate: (before.ForceRotate ?? 0) + 1 }),
    ...(flags.certExpiry === undefined ? {} : { NodeCertExpiry: flags.certExpiry }),
    ...(flags.externalCa
      ? { ExternalCAs: await readExternalCas(flags.externalCa, SigningCACert) }
      : {}),
  };
}

async function printRoot(context: Context): Promise<void> {
  const { TLSInfo } = await context.api.get<Swarm>('/swarm');
  print(context, TLSInfo?.TrustRoot?.trimEnd() || 'No CA information available');
}

function parseExternalCa(text: string): ExternalCaFlag {
  let Protocol = '';
  let URL = '';
  let CACert = '';
  const Options: Record<string, string> = {};
  for (const [key, value] of parseFields(text)) {
    if (value === '')
      throw new InvalidArgumentError(`invalid field '${key}' must be a key=value pair`);
    if (key === 'protocol') Protocol = value.toLowerCase();
    else if (key === 'url') URL = value;
    else if (key === 'cacert') CACert = value;
    else Options[key] = value;
  }
  if (Protocol === '') {
    throw new InvalidArgumentError('the external-ca option needs a protocol= parameter');
  }
  if (Protocol !== 'cfssl') {
    throw new InvalidArgumentError(`unrecognized external CA protocol ${Protocol}`);
  }
  if (URL === '') throw new InvalidArgumentError('the external-ca option needs a url= parameter');
  return { Protocol, URL, Options, CACert };
}

async function readPem(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new CliError(`cannot read ${file}: ${error.message}`);
  });
  if (text.includes('-----BEGIN ')) return text;
  throw new CliError(`${file} is not in PEM: it has no line "-----BEGIN …"`);
}
