#include "ceremony/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ceremony/columns.h"
#include "core/encode.h"
#include "policy/evaluate.h"

#define FIELD_WIDTH 16

/* Standard output is a terminal, NO_COLOR is unset, TERM is not "dumb". */
static bool colours_wanted(void)
{
    const char *term = getenv("TERM");

    return isatty(STDOUT_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

void print_text(struct buf *b, const char *text)
{
    printable_put(b, span_str(text ? text : "-"));
}

static const char *tone_code(enum tone t)
{
    switch (t) {
    case TONE_HEAD:
        return "\033[1m";
    case TONE_GOOD:
        return "\033[32m";
    case TONE_WAIT:
        return "\033[33m";
    case TONE_BAD:
        return "\033[31m";
    case TONE_FAINT:
        return "\033[2m";
    case TONE_PLAIN:
        break;
    }
    return "";
}

void print_toned(struct buf *b, enum tone t, const char *text)
{
    bool coloured = t != TONE_PLAIN && colours_wanted();

    if (coloured)
        buf_puts(b, tone_code(t));
    print_text(b, text);
    if (coloured)
        buf_puts(b, "\033[0m");
}

void print_cell(struct buf *b, enum tone t, const char *text, unsigned width)
{
    const char *shown = text ? text : "-";

    print_toned(b, t, shown);
    for (size_t n = columns_count(span_str(shown)); n < width; n++)
        buf_puts(b, " ");
    buf_puts(b, "  ");
}

void print_head(struct buf *b, const char *text)
{
    if (b->len > 0)
        buf_puts(b, "\n");
    print_toned(b, TONE_HEAD, text);
    buf_puts(b, "\n");
}

void print_field(struct buf *b, const char *name, const char *format, ...)
{
    struct buf text = BUF(OUTPUT_MAX);
    va_list ap;

    va_start(ap, format);
    buf_vputf(&text, format, ap);
    va_end(ap);
    buf_puts(b, "  ");
    print_cell(b, TONE_FAINT, name, FIELD_WIDTH);
    print_text(b, buf_str(&text));
    buf_puts(b, "\n");
    b->failed = b->failed || text.failed;
    buf_free(&text);
}

void print_lines(struct buf *b, const struct buf *text)
{
    for (const char *line = buf_str(text); *line;) {
        size_t len = strcspn(line, "\n");

        buf_puts(b, "  ");
        printable_put(b, span_of(line, len));
        buf_puts(b, "\n");
        line += len + (line[len] == '\n');
    }
    b->failed = b->failed || text->failed;
}

void print_words(struct buf *b, const struct digest *d)
{
    for (size_t i = 0; i < sizeof d->bytes; i += 4) {
        buf_puts(b, "    ");
        words_put(b, span_of(d->bytes + i, 4));
        buf_puts(b, "\n");
    }
}

enum outcome print_exact(const struct buf *b, struct fault *f)
{
    if (b->failed)
        return fault_memory(f);
    if (fwrite(b->len > 0 ? b->data : (const uint8_t *)"", 1, b->len, stdout) != b->len || fflush(stdout) != 0)
        return fault_errno(f, "writing to", "standard output");
    return OK;
}

/* For the terminal at fd, into ret; false: there is none, or nothing can be put in order on it. */
static bool folded(const struct buf *b, int fd, struct buf *ret)
{
    size_t columns = columns_of(fd);

    if (columns < COLUMNS_MIN || b->failed)
        return false;
    columns_fold(buf_span(b), columns, ret);
    return !ret->failed;
}

enum outcome print_out(struct buf *b, struct fault *f)
{
    struct buf lines = BUF(OUTPUT_MAX);
    enum outcome o = print_exact(folded(b, STDOUT_FILENO, &lines) ? &lines : b, f);

    buf_free(&lines);
    return o;
}

enum outcome print_json(json_t *value_taken, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o;

    if (!value_taken)
        return fault_memory(f);
    o = json_canonical(value_taken, &b, f);
    if (o == OK) {
        buf_puts(&b, "\n");
        o = print_exact(&b, f);
    }
    buf_free(&b);
    json_decref(value_taken);
    return o;
}

enum outcome print_said(enum outcome o, struct fault *f)
{
    f->text[0] = '\0';
    return o;
}

void print_aside(struct buf *b)
{
    struct buf lines = BUF(OUTPUT_MAX);
    const struct buf *shown = folded(b, STDERR_FILENO, &lines) ? &lines : b;

    if (!shown->failed && shown->len > 0)
        fwrite(shown->data, 1, shown->len, stderr);
    buf_free(&lines);
}

static const char *finding_name(enum finding_kind k)
{
    switch (k) {
    case FINDING_MET:
        return "met";
    case FINDING_MISSING:
        return "missing";
    case FINDING_AGAINST:
        return "against";
    case FINDING_NOTE:
        break;
    }
    return "note";
}

static json_t *finding_json(const struct finding *x)
{
    json_t *j = json_object();

    if (json_put_string(j, "code", x->code) && json_put_string(j, "kind", finding_name(x->kind)) &&
        json_put_string(j, "text", x->text))
        return j;
    json_decref(j);
    return NULL;
}

json_t *verdict_details(const struct verdict *v)
{
    json_t *j = verdict_json(v), *findings = json_array(), *sites = json_array();
    bool good = j && findings && sites;

    for (size_t i = 0; good && i < v->finding_count; i++)
        good = json_array_append_new(findings, finding_json(&v->findings[i])) == 0;
    for (size_t i = 0; good && i < v->sites.count; i++)
        good = json_array_append_new(sites, json_string(v->sites.items[i])) == 0;
    good = good && json_put_string(j, "file", v->file) && json_put_integer(j, "line", v->line);
    if (good) {
        good = json_put(j, "findings", findings);
        findings = NULL; /* taken by j */
    }
    if (good) {
        good = json_put(j, "sites", sites);
        sites = NULL; /* taken by j */
    }
    json_decref(findings);
    json_decref(sites);
    if (good)
        return j;
    json_decref(j);
    return NULL;
}
