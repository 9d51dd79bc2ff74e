#ifndef QUORATE_CEREMONY_PKCS11_CLIENT_H
#define QUORATE_CEREMONY_PKCS11_CLIENT_H

#include "ceremony/client.h"
#include "estate/estate.h"

/* The module used as an application uses it: sessions, login, key pairs. */

#define KEY_TYPES_EXPECTED "EC:P-256, EC:P-384, EC:P-521, EC:Ed25519, RSA:3072 or RSA:4096 was expected"
bool key_type_known(const char *type);

/* A session on a logical token, logged in with the primary's PIN from the bindings (or as they say it is given). */
enum outcome pkcs11_session_open(struct client *c, const struct estate *e, const char *token, CK_SESSION_HANDLE *ret,
                                 struct fault *f);
void pkcs11_session_close(struct client *c, CK_SESSION_HANDLE session);

/* Asks for a signing key pair on the token. E_REFUSED: the module refuses; *ret_request is then the request that it left or
 * found, all zero where there is none, and is written for that outcome too. */
enum outcome pkcs11_generate(struct client *c, const struct estate *e, const char *token, const char *label,
                             const char *type, struct digest *ret_request, struct fault *f);

/* Signs these bytes with the Ed25519 key of that CKA_ID (hex). E_REFUSED, *ret_request: as pkcs11_generate. */
enum outcome pkcs11_sign_edwards(struct client *c, const struct estate *e, const char *token, const char *id_hex,
                                 struct span message, struct buf *ret, struct digest *ret_request, struct fault *f);

/* Why the last call was refused: E_REFUSED with the module's words and the request; E_DEVICE where it says nothing. */
enum outcome pkcs11_refusal(struct client *c, const char *function, CK_RV rv, struct digest *ret_request,
                            struct fault *f);

#endif
