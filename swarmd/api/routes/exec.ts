import type { ExecConfig } from '../../../worker/index.ts';
import type { RouteGroup } from '../components.ts';
import { badRequest } from '../http/errors.ts';
import { readJson, readOptionalJson } from '../http/json-body.ts';
import type { JsonReader } from '../http/json-reader.ts';
import { MULTIPLEXED_STREAM, RAW_STREAM } from '../http/stream-reply.ts';
import { hijack, splice } from '../http/upgrade.ts';
import { type ByName, sizeOf } from './containers.ts';

interface ById {
  Params: { id: string };
}

/** Commands in running containers. */
export const execRoutes: RouteGroup = (app, { node }) => {
  const { engine } = node;

  app.post<ByName>('/containers/:name/exec', async (request, reply) => {
    const config = execFromApi(await readJson(request));
    const id = await engine.execCreate(request.params.name, config);
    return reply.code(201).send({ Id: id });
  });

  app.post<ById>('/exec/:id/start', async (request, reply) => {
    const body = await readOptionalJson(request);
    const detach = body?.boolean('Detach') ?? false;
    const { tty } = engine.execInspect(request.params.id).ProcessConfig;
    const stream = await engine.execStart(request.params.id, { detach, tty });
    if (!stream) return reply.send();
    return splice(hijack(request, reply, tty ? RAW_STREAM : MULTIPLEXED_STREAM), stream);
  });

  app.post<ById>('/exec/:id/resize', async (request, reply) => {
    const { height, width } = sizeOf(request);
    await engine.execResize(request.params.id, height, width);
    return reply.send();
  });

  app.get<ById>('/exec/:id/json', async ({ params }) => engine.execInspect(params.id));
};

function execFromApi(json: JsonReader): ExecConfig {
  const command = json.words('Cmd');
  if (command.length === 0) throw badRequest('No exec command specified');
  const optional = {
    User: json.string('User'),
    WorkingDir: json.string('WorkingDir'),
    DetachKeys: json.string('DetachKeys'),
  };
  const given = Object.entries(optional).filter(([, value]) => value !== '');
  return {
    Cmd: command,
    AttachStdin: json.boolean('AttachStdin'),
    AttachStdout: json.boolean('AttachStdout'),
    AttachStderr: json.boolean('AttachStderr'),
    Tty: json.boolean('Tty'),
    Privileged: json.boolean('Privileged'),
    Env: json.strings('Env'),
    ...Object.fromEntries(given),
  };
}
