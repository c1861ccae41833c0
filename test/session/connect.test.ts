import { describe, expect, test } from 'vitest';
import { isRetryable } from '../../src/session/index.js';

// What a server says has a severity, what the system says has none.
const withCode = (code: string) => Object.assign(new Error('a failure'), { code, ...(/^\d/.test(code) && { severity: 'FATAL' }) });
const systemCodes = ['ECONNREFUSED', 'ECONNRESET', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'EPIPE', 'ENOENT'];

describe('a connection that has failed', () => {
  test.each([...systemCodes, '08000', '08001', '08004', '08006', '53300', '57P01', '57P02', '57P03'])('with %s may work later', (code) => {
    expect(isRetryable(withCode(code))).toBe(true);
  });

  test.each(['ENOTFOUND', 'EACCES', 'DEPTH_ZERO_SELF_SIGNED_CERT', '28000', '28P01', '3D000', '42501', '0A000', '53400'])(
    'with %s never will',
    (code) => {
      expect(isRetryable(withCode(code))).toBe(false);
    },
  );

  test('on each address of a name may work later where each of them may', () => {
    const on = (...codes: string[]) => new AggregateError(codes.map(withCode));
    expect([on('ECONNREFUSED', 'ECONNREFUSED'), on('ECONNREFUSED', 'EACCES')].map(isRetryable)).toEqual([true, false]);
  });

  test.each([
    ['timeout expired', true],
    ['Connection terminated unexpectedly', true],
    ['The server does not support SSL connections', false],
    ['the service of the passwords is down', false],
  ])('of which is only said "%s": %s', (message, expected) => {
    expect(isRetryable(new Error(message))).toBe(expected);
  });
});
