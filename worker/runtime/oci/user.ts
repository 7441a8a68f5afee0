import { SwarmError } from '../../../common/errors.ts';
import type { OciUser } from './types.ts';

/**
 * Resolves `user[:group]` (names or numbers) by the container's own /etc/passwd and /etc/group, whose
 * text is passed in ('' when missing). `extraGroups` are those of --group-add. Throws
 * SWM_INVALID_ARGUMENT for names that are not there.
 */
export function resolveUser(
  user: string,
  extraGroups: readonly string[],
  files: { readonly passwd: string; readonly group: string },
): OciUser {
  const groups = parseGroups(files.group);
  const [userPart = '', groupPart] = (user || '0').split(':');
  const entry = findUser(userPart || '0', parseUsers(files.passwd));
  const gid = groupPart ? findGroup(groupPart, groups) : entry.gid;
  const member = groups.filter(({ members }) => entry.name && members.includes(entry.name));
  // A group given with the user replaces the user's own groups.
  const own = groupPart ? [] : member.map((group) => group.gid);
  const more = extraGroups.map((name) => findGroup(name, groups));
  // The user's own group among them: else "deny" permissions for it could be got around.
  return { uid: entry.uid, gid, additionalGids: [...new Set([gid, ...own, ...more])] };
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

function findUser(wanted: string, users: readonly User[]): User {
  const byName = users.find(({ name }) => name === wanted);
  if (byName) return byName;
  const uid = parseId(wanted);
  if (uid === undefined) {
    const message = `unable to find user ${wanted}: no matching entries in passwd file`;
    throw new SwarmError('SWM_INVALID_ARGUMENT', message);
  }
  return users.find((one) => one.uid === uid) ?? { name: '', uid, gid: 0 };
}

function findGroup(wanted: string, groups: readonly Group[]): number {
  const gid = groups.find(({ name }) => name === wanted)?.gid ?? parseId(wanted);
  if (gid !== undefined) return gid;
  const message = `unable to find group ${wanted}: no matching entries in group file`;
  throw new SwarmError('SWM_INVALID_ARGUMENT', message);
}

function parseId(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 ? Number(text) : undefined;
}

function parseUsers(passwd: string): User[] {
  return lines(passwd).flatMap(([name = '', , uid, gid]) =>
    uid === undefined ? [] : [{ name, uid: Number(uid), gid: Number(gid) }],
  );
}

function parseGroups(group: string): Group[] {
  return lines(group).flatMap(([name = '', , gid, members]) =>
    gid === undefined ? [] : [{ name, gid: Number(gid), members: (members ?? '').split(',') }],
  );
}

const lines = (text: string): string[][] => text.split('\n').map((line) => line.trim().split(':'));
