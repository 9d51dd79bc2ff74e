#include "core/yaml.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/encode.h"
#include "core/limits.h"

/* The root is the first member, so that yaml_free finds the name that all nodes borrow. */
struct document {
    struct yaml root;
    char *name;
};

struct reader {
    struct fy_parser *parser;
    struct fy_diag *diag;
    const char *name;
    unsigned line, column; /* of the last event that had a position */
    unsigned nodes;
};

enum node_end { NODE_READ, NODE_END };

static enum outcome fault_at(const struct reader *r, struct fault *f, const char *text)
{
    return fault_set(f, E_INVALID, "%s:%u:%u: %s", r->name, r->line, r->column, text);
}

static void node_free(struct yaml *node)
{
    if (node == NULL)
        return;
    for (size_t i = 0; i < node->count; i++) {
        if (node->keys != NULL)
            node_free(node->keys[i]);
        node_free(node->items[i]);
    }
    free(node->keys);
    free(node->items);
    free(node->scalar);
    free(node);
}

void yaml_free(struct yaml *root)
{
    if (root != NULL)
        free(((struct document *)root)->name);
    node_free(root);
}

/* The bytes before any grammar: UTF-8, and nothing that a reviewer would not see. */
static enum outcome bytes_check(struct reader *r, struct span bytes, struct fault *f)
{
    uint32_t code = 0;

    while (bytes.len > 0) {
        size_t n = utf8_next(bytes, &code);
        bool crlf = code == '\r' && bytes.len > 1 && bytes.data[1] == '\n';

        if (n == 0)
            return fault_at(r, f, "the document is not UTF-8 here");
        if ((code_control(code) && code != '\n' && code != '\t' && !crlf) || code_deceptive(code))
            return fault_set(f, E_INVALID, "%s:%u:%u: the invisible character U+%04X; only printable text was expected",
                             r->name, r->line, r->column, (unsigned)code);
        if (code == '\n') {
            r->line++;
            r->column = 0;
        }
        r->column++;
        bytes = span_of(bytes.data + n, bytes.len - n);
    }
    r->line = r->column = 1;
    return OK;
}

/* The parser's own complaint, with its position. */
static enum outcome parser_fault(struct reader *r, struct fault *f)
{
    void *at = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(r->diag, &at);

    if (error == NULL)
        return fault_at(r, f, "the document could not be read as YAML");
    if (error->line > 0 && error->column > 0) {
        r->line = (unsigned)error->line;
        r->column = (unsigned)error->column;
    }
    return fault_at(r, f, error->msg);
}

static enum outcome event_next(struct reader *r, struct fy_event **ret, struct fault *f)
{
    struct fy_event *event = fy_parser_parse(r->parser);
    const struct fy_mark *mark;

    if (event == NULL)
        return parser_fault(r, f);
    mark = fy_event_start_mark(event);
    if (mark != NULL && mark->line >= 0 && mark->column >= 0) {
        r->line = (unsigned)mark->line + 1;
        r->column = (unsigned)mark->column + 1;
        if (event->type == FYET_SCALAR && r->column > 1) { /* the mark of a quoted text is behind its quote */
            enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
            r->column -= style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
        }
    }
    *ret = event;
    return OK;
}

static enum outcome node_new(struct reader *r, enum yaml_kind kind, struct yaml **ret, struct fault *f)
{
    struct document *made = NULL; /* any node may turn out to be the root */
    struct yaml *node = NULL;

    if (++r->nodes > LIMIT_YAML_NODES)
        return fault_at(r, f, "the document has too many nodes");
    made = calloc(1, sizeof *made);
    if (made == NULL)
        return fault_memory(f);
    node = &made->root;
    node->kind = kind;
    node->line = r->line;
    node->column = r->column;
    node->name = r->name;
    *ret = node;
    return OK;
}

static enum outcome scalar_text(struct reader *r, struct fy_token *token, char **ret, struct fault *f)
{
    size_t len = 0;
    const char *text = token == NULL ? "" : fy_token_get_text(token, &len);
    struct span rest;
    uint32_t code = 0;

    if (text == NULL)
        return fault_memory(f);
    rest = span_of(text, len);
    while (rest.len > 0) {
        size_t n = utf8_next(rest, &code);
        if (n == 0 || code == 0)
            return fault_at(r, f, "the text holds a NUL, or is not UTF-8");
        rest = span_of(rest.data + n, rest.len - n);
    }
    *ret = strndup(text, len);
    return *ret == NULL ? fault_memory(f) : OK;
}

/* What an event begins: a kind of node, or the end of the collection around it. */
static enum outcome event_kind(struct reader *r, const struct fy_event *event, enum yaml_kind *ret_kind,
                               enum node_end *ret_end, struct fault *f)
{
    const struct fy_token *anchor = NULL, *tag = NULL;

    *ret_end = NODE_READ;
    switch (event->type) {
    case FYET_SCALAR:
        *ret_kind = YAML_SCALAR;
        anchor = event->scalar.anchor;
        tag = event->scalar.tag;
        break;
    case FYET_SEQUENCE_START:
        *ret_kind = YAML_LIST;
        anchor = event->sequence_start.anchor;
        tag = event->sequence_start.tag;
        break;
    case FYET_MAPPING_START:
        *ret_kind = YAML_MAP;
        anchor = event->mapping_start.anchor;
        tag = event->mapping_start.tag;
        break;
    case FYET_SEQUENCE_END:
    case FYET_MAPPING_END:
        *ret_end = NODE_END;
        break;
    case FYET_ALIAS:
        return fault_at(r, f, "an alias (*) is not allowed; write the value out");
    default:
        return fault_at(r, f, "a value was expected");
    }
    if (anchor != NULL)
        return fault_at(r, f, "an anchor (&) is not allowed; write the value out where it is needed");
    if (tag != NULL)
        return fault_at(r, f, "a tag (!) is not allowed; write the value without it");
    return OK;
}

static enum outcome node_read(struct reader *r, unsigned depth, struct yaml **ret, enum node_end *ret_end,
                              struct fault *f);

/* Room for one more; the arrays are full where count is 0 or a power of two. */
static bool children_reserve(struct yaml *node)
{
    size_t want = node->count == 0 ? 1 : node->count * 2;
    struct yaml **grown = NULL;

    if ((node->count & (node->count - 1)) != 0)
        return true;
    grown = reallocarray(node->items, want, sizeof(struct yaml *));
    if (grown == NULL)
        return false;
    node->items = grown;
    if (node->kind == YAML_MAP) {
        grown = reallocarray(node->keys, want, sizeof(struct yaml *));
        if (grown == NULL)
            return false;
        node->keys = grown;
    }
    return true;
}

static enum outcome key_check(const struct yaml *key, struct fault *f)
{
    if (key->kind != YAML_SCALAR)
        return yaml_fault(key, f, "a key must be plain text, not a list or a map");
    if (key->scalar[0] == '\0')
        return yaml_fault(key, f, "a key is empty; a name was expected");
    if (strcmp(key->scalar, "<<") == 0)
        return yaml_fault(key, f, "a merge key (<<) is not allowed; write the members out");
    return OK;
}

static enum outcome children_read(struct reader *r, struct yaml *node, unsigned depth, struct fault *f)
{
    struct yaml *key = NULL, *item = NULL;
    enum node_end end = NODE_READ;
    enum outcome o = OK;

    for (;;) {
        if (node->kind == YAML_MAP) {
            o = node_read(r, depth + 1, &key, &end, f);
            if (o == OK && end == NODE_READ)
                o = key_check(key, f);
        }
        if (o == OK && end == NODE_READ)
            o = node_read(r, depth + 1, &item, &end, f);
        if (o != OK || end == NODE_END)
            goto out;
        if (!children_reserve(node)) {
            o = fault_memory(f);
            goto out;
        }
        if (node->kind == YAML_MAP)
            node->keys[node->count] = key;
        node->items[node->count++] = item;
        key = item = NULL; /* taken by node */
    }
out:
    node_free(key);
    node_free(item);
    return o;
}

static int key_compare(const void *a, const void *b)
{
    const struct yaml *x = *(struct yaml *const *)a, *y = *(struct yaml *const *)b;
    int order = strcmp(x->scalar, y->scalar);

    if (order != 0)
        return order;
    return x->line != y->line ? (x->line > y->line) - (x->line < y->line)
                              : (x->column > y->column) - (x->column < y->column);
}

static enum outcome repeats_check(const struct yaml *map, struct fault *f)
{
    struct yaml **sorted = NULL;
    enum outcome o = OK;

    if (map->count < 2)
        return OK;
    sorted = reallocarray(NULL, map->count, sizeof(struct yaml *));
    if (sorted == NULL)
        return fault_memory(f);
    memcpy(sorted, map->keys, map->count * sizeof(struct yaml *));
    qsort(sorted, map->count, sizeof(struct yaml *), key_compare);
    for (size_t i = 1; i < map->count && o == OK; i++) {
        if (strcmp(sorted[i - 1]->scalar, sorted[i]->scalar) == 0)
            o = yaml_fault(sorted[i], f, "the key \"%s\" is repeated; it stands in line %u already", sorted[i]->scalar,
                           sorted[i - 1]->line);
    }
    free(sorted);
    return o;
}

static enum outcome node_read(struct reader *r, unsigned depth, struct yaml **ret, enum node_end *ret_end,
                              struct fault *f)
{
    struct fy_event *event = NULL;
    struct yaml *node = NULL;
    enum yaml_kind kind = YAML_SCALAR;
    enum outcome o = event_next(r, &event, f);

    if (o != OK)
        return o;
    o = event_kind(r, event, &kind, ret_end, f);
    if (o != OK || *ret_end == NODE_END)
        goto out;
    if (depth > LIMIT_YAML_DEPTH) {
        o = fault_at(r, f, "the document is nested too deeply");
        goto out;
    }
    o = node_new(r, kind, &node, f);
    if (o != OK)
        goto out;
    if (kind == YAML_SCALAR)
        o = scalar_text(r, event->scalar.value, &node->scalar, f);
    else
        o = children_read(r, node, depth, f);
    if (o == OK && kind == YAML_MAP)
        o = repeats_check(node, f);
    if (o != OK)
        goto out;
    *ret = node;
    node = NULL; /* the caller's */
out:
    fy_parser_event_free(r->parser, event);
    node_free(node);
    return o;
}

/* The next event must be of this type; `otherwise` says what is wrong where it is not. */
static enum outcome event_expect(struct reader *r, enum fy_event_type type, const char *otherwise, struct fault *f)
{
    struct fy_event *event = NULL;
    enum outcome o = event_next(r, &event, f);

    if (o != OK)
        return o;
    if (event->type != type)
        o = fault_at(r, f, otherwise);
    else if (type == FYET_DOCUMENT_START && (fy_document_state_version_explicit(event->document_start.document_state) ||
                                             fy_document_state_tags_explicit(event->document_start.document_state)))
        o = fault_at(r, f, "a directive (%) is not allowed; remove its line");
    fy_parser_event_free(r->parser, event);
    return o;
}

static enum outcome document_read(struct reader *r, struct yaml **ret, struct fault *f)
{
    enum node_end end = NODE_READ;
    struct yaml *root = NULL;
    enum outcome o = event_expect(r, FYET_STREAM_START, "the document could not be read as YAML", f);

    if (o == OK)
        o = event_expect(r, FYET_DOCUMENT_START, "the document is empty", f);
    if (o == OK)
        o = node_read(r, 0, &root, &end, f);
    if (o == OK && end == NODE_END)
        o = fault_at(r, f, "the document could not be read as YAML");
    if (o == OK)
        o = event_expect(r, FYET_DOCUMENT_END, "the end of the document was expected", f);
    if (o == OK)
        o = event_expect(r, FYET_STREAM_END, "a second document begins here; only one was expected", f);
    if (o != OK) {
        node_free(root);
        return o;
    }
    *ret = root;
    return OK;
}

enum outcome yaml_parse(const char *name, struct span bytes, struct yaml **ret, struct fault *f)
{
    struct fy_diag_cfg quiet;
    struct fy_parse_cfg config = {.flags = FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE};
    struct reader r = {.line = 1, .column = 1};
    char *copy = strdup(name);
    struct yaml *root = NULL;
    enum outcome o = OK;

    if (copy == NULL)
        return fault_memory(f);
    r.name = copy;
    if (bytes.len == 0 || bytes.len > LIMIT_DOCUMENT) {
        o = fault_at(&r, f, bytes.len == 0 ? "the document is empty" : "the document is too large");
        goto out;
    }
    o = bytes_check(&r, bytes, f);
    if (o != OK)
        goto out;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    quiet.level = FYET_ERROR;
    r.diag = fy_diag_create(&quiet);
    if (r.diag != NULL)
        fy_diag_set_collect_errors(r.diag, true);
    config.diag = r.diag;
    r.parser = r.diag == NULL ? NULL : fy_parser_create(&config);
    if (r.parser == NULL || fy_parser_set_string(r.parser, (const char *)bytes.data, bytes.len) != 0) {
        o = fault_memory(f);
        goto out;
    }
    o = document_read(&r, &root, f);
    if (o != OK)
        goto out;
    ((struct document *)root)->name = copy;
    copy = NULL; /* taken by the document */
    *ret = root;
out:
    if (r.parser != NULL)
        fy_parser_destroy(r.parser);
    if (r.diag != NULL)
        fy_diag_destroy(r.diag);
    free(copy);
    return o;
}
