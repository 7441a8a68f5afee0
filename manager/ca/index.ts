export {
  type Access,
  authorizationInterceptor,
  METHOD_ACCESS,
} from './authorization.ts';
export { CertificateAuthority, caService, nodeCaService } from './ca-service.ts';
export { type Caller, callerOf, findCaller, forwardedBy, forwardingMetadata } from './caller.ts';
export { generateJoinToken, parseJoinToken } from './join-token.ts';
export { KeyFile } from './key-file.ts';
export { decryptKey, encryptKey } from './private-key.ts';
export {
  certificateDigest,
  DEFAULT_CERTIFICATE_VALIDITY_MS,
  MIN_CERTIFICATE_VALIDITY_MS,
  RootCa,
} from './root-ca.ts';
export {
  type BootstrapInit,
  type JoinInit,
  SecurityConfig,
  type SecurityConfigComponents,
  type SecurityConfigInit,
} from './security-config.ts';
export { type NodeFiles, writeNodeFiles } from './state-files.ts';
export {
  formatUnlockKey,
  newUnlockKey,
  parseUnlockKey,
  unlockKeyNeeded,
  unlockKeyOf,
} from './unlock-key.ts';
export { createCertificateRequest } from './x509.ts';
