import { SwarmError } from '../../common/errors.ts';
import type { Node } from '../../proto/gen/swarm/objects.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import { contains, parseIp, parseSubnet } from '../allocator/ip.ts';

/** `key==value` or `key!=value`. */
export interface Constraint {
  readonly key: string;
  readonly operator: '==' | '!=';
  readonly value: string;
}

const KEY = /^[a-z_][a-z0-9\-_.]+$/i;
const VALUE = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;

const NODE_LABEL = 'node.labels.';
const ENGINE_LABEL = 'engine.labels.';

/** Throws SWM_INVALID_ARGUMENT for the first expression that is none. */
export function parseConstraints(expressions: readonly string[]): Constraint[] {
  return expressions.map(parse);
}

/** True when the node satisfies every constraint. */
export function matches(constraints: readonly Constraint[], node: Node): boolean {
  return constraints.every((constraint) => matchesOne(constraint, node));
}

/** The first constraint that the node does not satisfy. */
export function firstMismatch(
  constraints: readonly Constraint[],
  node: Node,
): Constraint | undefined {
  return constraints.find((constraint) => !matchesOne(constraint, node));
}

/** What the node has for a constraint's key; undefined for an unknown key. */
export function attributeOf(node: Node, key: string): string | undefined {
  const { description, spec } = node;
  switch (key.toLowerCase()) {
    case 'node.id':
      return node.id;
    case 'node.hostname':
      return description?.hostname ?? '';
    case 'node.ip':
      return node.status?.addr ?? '';
    case 'node.role':
      return node.role === NodeRole.MANAGER ? 'manager' : 'worker';
    case 'node.platform.os':
      return description?.platform?.os ?? '';
    case 'node.platform.arch':
      return description?.platform?.architecture ?? '';
    default:
  }
  const nodeLabel = afterPrefix(key, NODE_LABEL);
  if (nodeLabel) return spec?.annotations?.labels[nodeLabel] ?? '';
  const engineLabel = afterPrefix(key, ENGINE_LABEL);
  if (engineLabel) return description?.engine?.labels[engineLabel] ?? '';
  return undefined;
}

export function formatConstraint({ key, operator, value }: Constraint): string {
  return `${key}${operator}${value}`;
}

function parse(expression: string): Constraint {
  const operator = expression.includes('==') ? '==' : '!=';
  const at = expression.indexOf(operator);
  if (at < 0) throw invalid('constraint expected one operator from ==, !=', expression);
  const key = expression.slice(0, at).trim();
  const value = expression.slice(at + operator.length).trim();
  if (!KEY.test(key)) throw invalid(`key '${key}' is invalid`, expression);
  if (!VALUE.test(value)) throw invalid(`value '${value}' is invalid`, expression);
  return { key, operator, value };
}

function invalid(message: string, expression: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', message, {
    hint: `Found in the constraint "${expression}"; one looks like node.labels.zone==a.`,
  });
}

/** The whole value is compared, without regard to case; an unknown key matches nothing. */
function matchesOne({ key, operator, value }: Constraint, node: Node): boolean {
  const actual = attributeOf(node, key);
  if (actual === undefined) return false;
  const equal =
    key.toLowerCase() === 'node.ip'
      ? matchesIp(actual, value)
      : actual.toLowerCase() === value.toLowerCase();
  return equal === undefined ? false : equal === (operator === '==');
}

/** Undefined, so no match with either operator, when one of them is not an address. */
function matchesIp(actual: string, value: string): boolean | undefined {
  const ip = parseIp(actual);
  if (!ip) return undefined;
  if (value.includes('/')) {
    const subnet = parseSubnet(value);
    return subnet && contains(subnet, ip);
  }
  const wanted = parseIp(value);
  return wanted && wanted.family === ip.family && wanted.value === ip.value;
}

/** Label names are case-sensitive, what stands before them is not. */
function afterPrefix(key: string, prefix: string): string | undefined {
  const has = key.length > prefix.length && key.toLowerCase().startsWith(prefix);
  return has ? key.slice(prefix.length) : undefined;
}
