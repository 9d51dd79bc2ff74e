#include "core/bindings_inner.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/file.h"
#include "core/limits.h"

#define BINDINGS_DEFAULT "/etc/quorate/bindings.yaml"
#define SERIAL_MAX 16 /* CK_TOKEN_INFO.serialNumber, PKCS#11 v3.0 section 3.2 */

void bindings_free(struct bindings *b)
{
    if (b == NULL)
        return;
    for (size_t i = 0; i < b->token_count; i++) {
        for (size_t j = 0; j < b->tokens[i].site_count; j++)
            binding_clear(&b->tokens[i].sites[j]);
        free(b->tokens[i].sites);
        free(b->tokens[i].id);
    }
    free(b->tokens);
    strings_free(&b->mirrors);
    free(b->path);
    free(b->home);
    free(b->policy);
    free(b);
}

const struct bound_token *bindings_token(const struct bindings *b, const char *token)
{
    for (size_t i = 0; i < b->token_count; i++) {
        if (strcmp(b->tokens[i].id, token) == 0)
            return &b->tokens[i];
    }
    return NULL;
}

const struct binding *bindings_site(const struct bindings *b, const char *token, const char *site)
{
    const struct bound_token *t = bindings_token(b, token);

    for (size_t i = 0; t != NULL && i < t->site_count; i++) {
        if (strcmp(t->sites[i].site, site) == 0)
            return &t->sites[i];
    }
    return NULL;
}

enum remote bindings_remote(const struct bindings *b, const char *module)
{
    enum remote remote = REMOTE_LOOK;

    for (size_t i = 0; i < b->token_count; i++) {
        for (size_t j = 0; j < b->tokens[i].site_count; j++) {
            const struct binding *site = &b->tokens[i].sites[j];

            if (site->reach == REACH_MODULE && strcmp(site->module, module) == 0 && site->remote > remote)
                remote = site->remote;
        }
    }
    return remote;
}

/* A path as written, from the folder of the bindings. */
static enum outcome path_read(const char *folder, const char *written, char **ret, struct fault *f)
{
    char *path = NULL;

    while (strncmp(written, "./", 2) == 0)
        written += 2 + strspn(written + 2, "/");
    path = path_join(folder, written[0] == '\0' ? "." : written);
    if (path == NULL)
        return fault_memory(f);
    *ret = path;
    return OK;
}

static enum outcome path_node(const char *folder, const struct yaml *node, char **ret, struct fault *f)
{
    char *written = NULL;
    enum outcome o = yaml_text(node, &written, f);

    if (o == OK)
        o = path_read(folder, written, ret, f);
    free(written);
    return o;
}

static enum outcome not_yet(const struct yaml *node, const char *what, struct fault *f)
{
    return yaml_fault(node, f, "not yet: %s is not carried out by this version; take it out", what);
}

static enum outcome serial_read(const struct yaml *node, char **ret, struct fault *f)
{
    char *serial = NULL;
    enum outcome o = yaml_text(node, &serial, f);
    size_t len = o == OK ? strlen(serial) : 0;

    if (o != OK)
        return o;
    if (len > SERIAL_MAX || serial[len - 1] == ' ') {
        o = yaml_fault(node, f, "\"%s\" is no serial number; up to %d characters without trailing blanks were expected",
                       serial, SERIAL_MAX);
        free(serial);
        return o;
    }
    *ret = serial;
    return OK;
}

static enum outcome pin_read(const char *folder, const struct yaml *node, enum pin_kind *ret, char **ret_path,
                             struct fault *f)
{
    char *text = NULL;
    enum outcome o = yaml_text(node, &text, f);

    if (o != OK)
        return o;
    if (strncmp(text, "file:", 5) == 0 && text[5] != '\0') {
        *ret = PIN_FILE;
        o = path_read(folder, text + 5, ret_path, f);
    } else if (strcmp(text, "prompt") == 0)
        *ret = PIN_PROMPT;
    else if (strcmp(text, "protected-path") == 0)
        *ret = PIN_PROTECTED_PATH;
    else if (strcmp(text, "sealed") == 0)
        o = not_yet(node, "a sealed PIN", f);
    else /* what stands here may be the PIN itself: it is not repeated */
        o = yaml_fault(node, f, "a way to the PIN was expected: file:PATH, prompt or protected-path");
    free(text);
    return o;
}

/* Applications that cannot know a PIN cannot be asked for one either. */
static enum outcome login_read(const struct yaml *node, struct binding *b, struct fault *f)
{
    char *text = NULL;
    enum outcome o = yaml_text(node, &text, f);

    if (o != OK)
        return o;
    if (strcmp(text, "module") != 0)
        o = yaml_fault(node, f, "\"%s\" is no way to log in; module was expected, or no login at all", text);
    else if (b->pin_kind == PIN_PROMPT)
        o = yaml_fault(node, f, "login: module needs a PIN that nobody is asked for: file:PATH or protected-path");
    b->login_by_module = o == OK;
    free(text);
    return o;
}

static enum outcome remote_read(const struct yaml *node, struct binding *b, struct fault *f)
{
    bool remote = true;
    enum outcome o = yaml_bool(node, &remote, f);

    b->remote = remote ? REMOTE_YES : REMOTE_NO;
    return o;
}

static enum outcome attach_read(const struct yaml *node, struct binding *b, struct fault *f)
{
    char *text = NULL;
    enum outcome o = yaml_text(node, &text, f);

    if (o != OK)
        return o;
    if (strcmp(text, "one-at-a-time") != 0)
        o = yaml_fault(node, f, "\"%s\" is no way to attach an HSM; one-at-a-time was expected, or no attach at all",
                       text);
    b->one_at_a_time = o == OK;
    free(text);
    return o;
}

static enum outcome module_read(const char *folder, const struct yaml *node, struct binding *b, struct fault *f)
{
    enum outcome o;

    if (yaml_get(node, "serial") == NULL || yaml_get(node, "pin") == NULL)
        return yaml_fault(node, f, "a site with a module needs the keys module, serial and pin");
    b->reach = REACH_MODULE;
    o = path_node(folder, yaml_get(node, "module"), &b->module, f);
    if (o == OK)
        o = serial_read(yaml_get(node, "serial"), &b->serial, f);
    if (o == OK)
        o = pin_read(folder, yaml_get(node, "pin"), &b->pin_kind, &b->pin_path, f);
    b->so_pin = yaml_get(node, "so-pin") != NULL;
    if (o == OK && b->so_pin)
        o = pin_read(folder, yaml_get(node, "so-pin"), &b->so_pin_kind, &b->so_pin_path, f);
    if (o == OK && yaml_get(node, "login") != NULL)
        o = login_read(yaml_get(node, "login"), b, f);
    if (o == OK && yaml_get(node, "attach") != NULL)
        o = attach_read(yaml_get(node, "attach"), b, f);
    if (o == OK && yaml_get(node, "remote") != NULL)
        o = remote_read(yaml_get(node, "remote"), b, f);
    if (o == OK && yaml_get(node, "cloned") != NULL)
        o = yaml_name(yaml_get(node, "cloned"), &b->cloned, f);
    return o;
}

/* A command: its words may repeat, unlike the lists of a policy. */
static enum outcome courier_read(const struct yaml *node, struct strings *ret, struct fault *f)
{
    enum outcome o = OK;

    if (node->kind != YAML_LIST || node->count == 0)
        return yaml_fault(node, f, "the courier's command was expected as a list of words: [ssh, …]");
    for (size_t i = 0; i < node->count && o == OK; i++) {
        char *word = NULL;
        o = yaml_text(node->items[i], &word, f);
        if (o == OK && !strings_add(ret, word))
            o = fault_memory(f);
        free(word);
    }
    return o;
}

static enum outcome carried_read(const struct yaml *node, struct fault *f)
{
    bool carried = false;

    if (yaml_bool(node, &carried, f) != OK)
        return f->outcome;
    return carried ? OK : yaml_fault(node, f, "carried is either true or left out");
}

static enum outcome binding_read(const char *folder, const struct yaml *key, const struct yaml *node, struct binding *b,
                                 struct fault *f)
{
    const struct yaml *module = NULL, *courier = NULL, *carried = NULL;
    enum outcome o = yaml_name(key, &b->site, f);

    b->line = key->line;
    b->column = key->column;
    if (o == OK)
        o = yaml_members(node, "?module ?serial ?pin ?so-pin ?courier ?carried ?cloned ?attach ?login ?remote", f);
    if (o != OK)
        return o;
    module = yaml_get(node, "module");
    courier = yaml_get(node, "courier");
    carried = yaml_get(node, "carried");
    if (module == NULL && yaml_get(node, "cloned") != NULL)
        return yaml_fault(yaml_get(node, "cloned"), f,
                          "cloned says how keys come to a site; the HSM itself is asked by module, serial and pin");
    if ((module != NULL) + (courier != NULL) + (carried != NULL) != 1)
        return yaml_fault(node, f, "exactly one way to the site was expected: module, courier or carried");
    if (module != NULL)
        return module_read(folder, node, b, f);
    if (yaml_get(node, "serial") != NULL || yaml_get(node, "pin") != NULL || yaml_get(node, "login") != NULL ||
        yaml_get(node, "remote") != NULL || yaml_get(node, "attach") != NULL || yaml_get(node, "so-pin") != NULL)
        return yaml_fault(
            node, f,
            "serial, pin, so-pin, login, remote and attach belong to a site with a module; the far end has "
            "bindings of its own");
    b->reach = courier != NULL ? REACH_COURIER : REACH_CARRIED;
    return courier != NULL ? courier_read(courier, &b->courier, f) : carried_read(carried, f);
}

static enum outcome token_read(const char *folder, const struct yaml *key, const struct yaml *node,
                               struct bound_token *t, struct fault *f)
{
    enum outcome o = yaml_name(key, &t->id, f);

    t->line = key->line;
    if (o != OK)
        return o;
    if (node->kind != YAML_MAP || node->count == 0)
        return yaml_fault(node, f, "the sites of token \"%s\" were expected", t->id);
    if (node->count > LIMIT_SITES)
        return yaml_fault(node, f, "token \"%s\" has more than %d sites", t->id, LIMIT_SITES);
    t->sites = calloc(node->count, sizeof *t->sites);
    if (t->sites == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < node->count && o == OK; i++) {
        t->site_count = i + 1;
        o = binding_read(folder, node->keys[i], node->items[i], &t->sites[i], f);
    }
    return o;
}

static enum outcome mirrors_read(const char *folder, const struct yaml *node, struct bindings *b, struct fault *f)
{
    struct strings given = {0};
    enum outcome o = yaml_strings(node, &given, f);

    if (o == OK && given.count > LIMIT_MIRRORS)
        o = yaml_fault(node, f, "at most %d mirrors were expected", LIMIT_MIRRORS);
    for (size_t i = 0; i < given.count && o == OK; i++) {
        char *path = NULL;

        o = path_read(folder, given.items[i], &path, f);
        if (o == OK && !strings_add(&b->mirrors, path))
            o = fault_memory(f);
        free(path);
    }
    strings_free(&given);
    return o == OK ? mirrors_check(node, b, f) : o;
}

static enum outcome document_read(const char *folder, const struct yaml *root, struct bindings *b, struct fault *f)
{
    const struct yaml *tokens = NULL;
    enum outcome o = yaml_members(root, "home ?home-mirrors policy tokens", f);

    if (o == OK)
        o = path_node(folder, yaml_get(root, "home"), &b->home, f);
    if (o == OK && yaml_get(root, "home-mirrors") != NULL)
        o = mirrors_read(folder, yaml_get(root, "home-mirrors"), b, f);
    if (o == OK)
        o = path_node(folder, yaml_get(root, "policy"), &b->policy, f);
    if (o != OK)
        return o;
    tokens = yaml_get(root, "tokens");
    if (tokens->kind != YAML_MAP || tokens->count == 0 || tokens->count > LIMIT_TOKENS)
        return yaml_fault(tokens, f, "a map of 1 to %d tokens was expected", LIMIT_TOKENS);
    b->tokens = calloc(tokens->count, sizeof *b->tokens);
    if (b->tokens == NULL)
        return fault_memory(f);
    for (size_t i = 0; i < tokens->count && o == OK; i++) {
        b->token_count = i + 1;
        o = token_read(folder, tokens->keys[i], tokens->items[i], &b->tokens[i], f);
    }
    return o == OK ? serials_check(root->name, b, f) : o;
}

/* The absolute path of the bindings and their folder, free of links, so that a later chdir moves nothing. */
static enum outcome bindings_place(const char *path, char **ret_path, char **ret_folder, struct fault *f)
{
    char *folder = path_folder(path), *real = NULL, *absolute = NULL;
    const char *slash = strrchr(path, '/');
    enum outcome o = OK;

    if (folder == NULL)
        return fault_memory(f);
    real = realpath(folder, NULL);
    if (real == NULL) {
        fault_errno(f, "cannot find the folder of the bindings", path);
        o = f->outcome = E_ABSENT;
        goto out;
    }
    absolute = path_join(real, slash == NULL ? path : slash + 1);
    if (absolute == NULL) {
        o = fault_memory(f);
        goto out;
    }
    *ret_path = absolute;
    *ret_folder = real;
    real = NULL; /* the caller's */
out:
    free(folder);
    free(real);
    return o;
}

enum outcome bindings_load(const char *given, struct bindings **ret, struct fault *f)
{
    const char *path = given != NULL && given[0] != '\0' ? given : secure_getenv("QUORATE_BINDINGS");
    struct bindings *b = calloc(1, sizeof *b);
    struct buf bytes = BUF(LIMIT_DOCUMENT);
    struct yaml *root = NULL;
    char *folder = NULL;
    enum outcome o = OK;

    if (b == NULL)
        return fault_memory(f);
    if (path == NULL || path[0] == '\0')
        path = BINDINGS_DEFAULT;
    o = bindings_place(path, &b->path, &folder, f);
    if (o == OK)
        o = file_read(b->path, true, &bytes, f);
    if (o == E_ABSENT)
        fault_set(f, E_ABSENT, "there are no bindings at %s; name the file with QUORATE_BINDINGS", path);
    if (o != OK)
        goto out;
    if (!digest_one(&b->digest, buf_span(&bytes))) {
        o = fault_set(f, E_IO, "libcrypto cannot compute SHA-256");
        goto out;
    }
    o = yaml_parse(path, buf_span(&bytes), &root, f);
    if (o == OK)
        o = document_read(folder, root, b, f);
    if (o != OK)
        goto out;
    *ret = b;
    b = NULL; /* the caller's */
out:
    yaml_free(root);
    buf_free(&bytes);
    free(folder);
    bindings_free(b);
    return o;
}

/* One line of printable text in `bytes`: its length without the newline, or 0. */
static size_t pin_length(struct span bytes)
{
    size_t len = bytes.len;

    if (len > 0 && bytes.data[len - 1] == '\n')
        len--;
    if (len > LIMIT_PIN || !utf8_printable(span_of(bytes.data, len)))
        return 0;
    return len;
}

static enum outcome pin_from(const char *path, const char *site, struct buf *ret, struct fault *f)
{
    struct buf bytes = BUF_SECRET(LIMIT_PIN + 1);
    enum outcome o = OK;
    size_t len;

    o = file_read(path, true, &bytes, f);
    if (o != OK) {
        fault_context(f, "the PIN of site \"%s\"", site);
        o = f->outcome = E_DEVICE;
        goto out;
    }
    len = pin_length(buf_span(&bytes));
    if (len == 0) {
        o = fault_set(f, E_DEVICE, "the PIN of site \"%s\": %s must hold one line with the PIN and nothing else", site,
                      path);
        goto out;
    }
    buf_clear(ret);
    buf_put(ret, bytes.data, len);
    if (ret->failed)
        o = fault_memory(f);
out:
    buf_free(&bytes);
    return o;
}

enum outcome binding_pin(const struct binding *b, struct buf *ret, struct fault *f)
{
    if (b->reach != REACH_MODULE || b->pin_kind != PIN_FILE)
        return fault_set(f, E_REFUSED, "the PIN of site \"%s\" is not in a file", b->site);
    return pin_from(b->pin_path, b->site, ret, f);
}

enum outcome binding_so_pin(const struct binding *b, struct buf *ret, struct fault *f)
{
    if (!b->so_pin || b->so_pin_kind != PIN_FILE)
        return fault_set(f, E_REFUSED, "the security officer's PIN of site \"%s\" is not in a file", b->site);
    return pin_from(b->so_pin_path, b->site, ret, f);
}
