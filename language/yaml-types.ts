import type { ScalarTag, Tags } from 'yaml';

/** `!!float 2`: of the core schema's numbers the library takes only those with a dot or an exponent. */
const wholeFloat: ScalarTag = {
  tag: 'tag:yaml.org,2002:float',
  default: true,
  test: /^[-+]?[0-9]+$/,
  resolve: Number,
};

/** The types of YAML 1.2's core schema. Source: yaml.org/spec/1.2.2, 10.3.2. */
export function coreTypes(tags: Tags): Tags {
  // Last, so that without its tag it is an integer.
  return [...tags, wholeFloat];
}
