#ifndef QUORATE_CEREMONY_CLIENT_H
#define QUORATE_CEREMONY_CLIENT_H

#include <p11-kit/pkcs11.h>

#include "core/json.h"

/* The module, loaded as any application would, and its vendor interface (estate/vendor.h). */
struct client;

/* module: its file; NULL: quorate-pkcs11.so beside this program, else where `make install` puts it. bindings: as given on the
 * command line, or NULL. */
enum outcome client_open(const char *module, const char *bindings, struct client **ret, struct fault *f);
void client_close(struct client *c); /* NULL is fine */

/* Runs a verb; `question` is taken. OK and E_PENDING give the answer (json_decref). */
enum outcome client_call(struct client *c, const char *verb, json_t *question_taken, json_t **ret, struct fault *f);

/* One verb by a module that is loaded for it alone, as --module and --bindings say; question (taken) and answer as above, a
 * question that is NULL being out of memory. */
struct arguments;
enum outcome client_ask(const struct arguments *a, const char *verb, json_t *question_taken, json_t **ret,
                        struct fault *f);
/* {site?, token?}: the operands TOKEN SITE, as far as they were given. NULL on memory. */
json_t *client_place(const struct arguments *a);

/* The logical token that is meant: the one given, else the only one of the bindings. Appended to ret. */
enum outcome client_token(const char *bindings_path, const char *given, struct buf *ret, struct fault *f);

CK_FUNCTION_LIST *client_functions(const struct client *c);
const char *client_path(const struct client *c); /* of the module's file */

#endif
