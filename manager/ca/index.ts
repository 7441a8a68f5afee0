export {
  type Access,
  authorizationInterceptor,
  METHOD_ACCESS,
} from './authorization.ts';
export { CertificateAuthority, caService, nodeCaService } from './ca-service.ts';
export { type Caller, callerOf, findCaller, forwardedBy, forwardingMetadata } from './caller.ts';
export { trustBundleOf, wantedIssuer } from './cluster-root.ts';
export type { ExternalCaComponents } from './external-ca.ts';
export { httpsPost } from './https-post.ts';
export type { Issuer } from './issuer.ts';
export { JoinReaper } from './join-reaper.ts';
export { generateJoinToken, parseJoinToken } from './join-token.ts';
export { damagedKeyFile, KeyFile } from './key-file.ts';
export { nextRootCa } from './next-root.ts';
export { NodeSigner } from './node-signer.ts';
export { OpenCalls } from './open-calls.ts';
export { decryptKey, encryptKey } from './private-key.ts';
export {
  certificateDigest,
  DEFAULT_CERTIFICATE_VALIDITY_MS,
  MIN_CERTIFICATE_VALIDITY_MS,
  RootCa,
} from './root-ca.ts';
export { RootRotator } from './root-rotator.ts';
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
export { createCertificateRequest, normalizePem } from './x509.ts';
