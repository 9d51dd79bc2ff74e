#ifndef QUORATE_CORE_BINDINGS_H
#define QUORATE_CORE_BINDINGS_H

#include <stdbool.h>

#include "core/fault.h"
#include "core/yaml.h"

/* The per-host document: how each (token, site) is reached (design, section 5). Says nothing about who may do what. */
enum reach { REACH_MODULE, REACH_COURIER, REACH_CARRIED };
/* Whether the module writes to a peer that may die (`remote:`); by default what it imports decides. */
enum remote { REMOTE_LOOK, REMOTE_NO, REMOTE_YES };
enum pin_kind { PIN_FILE, PIN_PROMPT, PIN_PROTECTED_PATH };

struct binding {
    char *site;
    enum reach reach;
    char *module; /* REACH_MODULE: absolute path of the lower module */
    char *serial; /* CK_TOKEN_INFO.serialNumber without trailing blanks */
    enum pin_kind pin_kind;
    char *pin_path; /* PIN_FILE: absolute */
    bool so_pin;    /* `so-pin:`: how its security officer's PIN is had; otherwise there is no way */
    enum pin_kind so_pin_kind;
    char *so_pin_path;
    bool one_at_a_time;     /* `attach: one-at-a-time`: a person attaches the HSM when it is wanted */
    bool login_by_module;   /* `login: module`: applications log in without the PIN, the module has it */
    enum remote remote;     /* REACH_MODULE */
    char *cloned;           /* REACH_MODULE: keys come there by this vendor's own tools, by people; NULL: wrapped */
    struct strings courier; /* REACH_COURIER: the command */
    unsigned line, column;
};
struct bound_token {
    char *id;
    struct binding *sites;
    size_t site_count;
    unsigned line;
};
struct bindings {
    char *path;   /* of the file itself, absolute */
    char *home;   /* absolute */
    char *policy; /* absolute */
    struct strings mirrors;
    struct bound_token *tokens;
    size_t token_count;
    struct digest digest; /* of the file's bytes */
};

/* Where the bindings are: `given` if not NULL or empty, else QUORATE_BINDINGS by secure_getenv, else
 * /etc/quorate/bindings.yaml. Files that others may write to are refused. Relative paths in it start at its folder. */
enum outcome bindings_load(const char *given, struct bindings **ret, struct fault *f);
void bindings_free(struct bindings *b);
const struct bound_token *bindings_token(const struct bindings *b, const char *token);
const struct binding *bindings_site(const struct bindings *b, const char *token, const char *site);
/* Of all sites with this module: where they differ the more careful one. */
enum remote bindings_remote(const struct bindings *b, const char *module);

/* A copy of its own, for who outlives the bindings. */
enum outcome binding_copy(const struct binding *b, struct binding *ret, struct fault *f);
void binding_clear(struct binding *b);

/* The PIN by its file (one line, without its newline; E_DEVICE text names the path). The other kinds are the
 * caller's: E_REFUSED. */
enum outcome binding_pin(const struct binding *b, struct buf *ret, struct fault *f);
/* The same of its security officer's. */
enum outcome binding_so_pin(const struct binding *b, struct buf *ret, struct fault *f);

#endif
