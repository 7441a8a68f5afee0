/** The lab of the e2e tests under a name of its own, so that the two do not meet. */
import './lab-name.ts';

export { Lab, noLab, script } from '../e2e/lab.ts';
