// Loaded by Temporal, in workers' workflows too, where a payload codec is used: messages and stacks of
// failures become payloads, and so go through the codec.
'use strict';
const { DefaultFailureConverter } = require('@temporalio/common');

exports.failureConverter = new DefaultFailureConverter({ encodeCommonAttributes: true });
