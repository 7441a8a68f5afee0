import { invalid } from './validate-names.ts';

// The grammar of image references, as the OCI distribution specification has it:
// [domain[:port]/]path[:tag][@digest], where path components are lower case.
const DOMAIN = '(?:\\[[0-9a-fA-F:]+\\]|[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?)(?::[0-9]+)?';
const COMPONENT = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const TAG = '[\\w][\\w.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const REFERENCE = new RegExp(
  `^(?:${DOMAIN}/)?${COMPONENT}(?:/${COMPONENT})*(?::${TAG})?(?:@${DIGEST})?$`,
);
const MAX_NAME = 255;

/** Throws SWM_INVALID_ARGUMENT unless `image` is a reference that a registry could have. */
export function validateImage(image: string): void {
  if (image === '') throw invalid('ContainerSpec: image reference must be provided');
  if (image.length > MAX_NAME + 128 + 128 || !REFERENCE.test(image)) {
    throw invalid(`ContainerSpec: "${image}" is not a valid repository/tag`);
  }
}
