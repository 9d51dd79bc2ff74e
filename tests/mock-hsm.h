#ifndef QUORATE_TESTS_MOCK_HSM_H
#define QUORATE_TESTS_MOCK_HSM_H

#include <stdbool.h>

/* build/mock-hsm.so: a PKCS#11 module without cryptography whose every answer a test decides. Left alone it answers at
 * once: tokens in memory (serial numbers MOCK0 to MOCK2, labels mock-0 to mock-2), which keep objects and check PINs,
 * sessions and states as the specification has them, and give fixed bytes as signatures, digests and ciphertexts. No
 * lock is taken by what works on a session, so that a benchmark measures the layer above.
 *
 * A test finds the three functions below with dlsym, in the library that the module under test has loaded (dlopen with
 * RTLD_NOLOAD). A program that knows nothing of the mock names a file of such lines in MOCK_HSM, read before anything else is called.
 *
 * A line is "FUNCTION [KEY[=VALUE]]..." (FUNCTION may be "all"), and replaces what was said of that function:
 *   rv=N      is answered, and nothing is done
 *   done      the work is done all the same before rv is answered
 *   delay=US  so many microseconds pass first
 *   len=N     every length that the call gives out is N
 *   die=N     the process gets signal N
 *   hang      the call does not come back before "release" (or "reset")
 *   slot=N    calls on that slot alone, or on its sessions
 *   skip=N    the first N calls are as usual      times=N  and so after N more
 * or "reset" (every function as usual, counts at 0), "wipe" (tokens as new), "absent N", "present N" (a token pulled
 * out, put back), "notify N" (C_OpenSession's callback is called by each function on a session of slot N),
 * "version 3.0" or "version 2.40" (whether there is an interface of 3.0; "reset" leaves it),
 * "real" (keys that are made from then on are keys, by libcrypto: they sign, wrap and unwrap; "reset" leaves it),
 * "lacks N WAY" and "refuses N WAY" (slot N does not wrap so; where it refuses, C_GetMechanismInfo says that it does; WAY is
 * rsa-aes, oaep-sha256, oaep-sha1; or, whatever the way, private, edwards (no key of Ed25519 is wrapped or taken in) and
 * edwards-seed (one that is taken in becomes another)),
 * "clone-out N FILE" and "clone-in N FILE ID [private | extractable]" (what a vendor's own tools do, whatever PKCS#11 refuses:
 * the keys of slot N go to a file; those with the CKA_ID in hex come in, without the public half, or extractable),
 * "count" (calls are counted from here on; steering of any kind counts too), "trace N" (each of those is a line on file
 * descriptor N: begin and end, with its delay, in milliseconds of CLOCK_MONOTONIC, slot, function; without N no more). */
typedef bool (*mock_steer_fn)(const char *line); /* false: not understood, nothing changed */
typedef unsigned long (*mock_calls_fn)(
    const char *function); /* "all"; "slot N": of all; "hanging": calls that hang now */
/* How often private and secret keys were used whose label begins so; counted while anything is steered. */
typedef unsigned long (*mock_uses_fn)(const char *label);

#define MOCK_PIN "1234"
#define MOCK_SO_PIN "12345678"
#define MOCK_USER "somebody"
#define MOCK_TOKENS 3u

#endif
