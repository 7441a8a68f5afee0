import type { FastifyReply, FastifyRequest } from 'fastify';

export function notFoundHandler(_request: FastifyRequest, reply: FastifyReply) {
  return reply.code(404).send({ message: 'page not found' });
}
