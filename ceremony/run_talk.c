#include "ceremony/run_talk.h"

#include <stdio.h>
#include <string.h>

#include "ceremony/script_paragraph.h"

#define LINE_MAX_BYTES 4096
#define TEXT_COLUMNS 60

static void actors_put(const struct runner *r, const struct step *s, struct buf *b)
{
    if (r->actors.count == 0)
        step_by_put(s, b);
    for (size_t i = 0; i < r->actors.count; i++) {
        buf_puts(b, i > 0 ? ", " : "");
        buf_puts(b, r->actors.items[i]);
    }
}

enum outcome talk_step(const struct runner *r, const struct step *s, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX), who = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    if (r->index == 0 || r->script->steps[r->index - 1].act_number != s->act_number) {
        char head[512];

        snprintf(head, sizeof head, "Act %u: %s", s->act_number, s->act);
        buf_puts(&b, "\n");
        print_toned(&b, TONE_HEAD, head);
        buf_puts(&b, "\n");
    }
    actors_put(r, s, &who);
    buf_putf(&b, "\n%-6s  ", s->id);
    print_toned(&b, TONE_HEAD, buf_str(&who));
    buf_putf(&b, "  (%s)  [%zu/%zu]\n", s->role->id, r->index + 1, r->script->step_count);
    paragraph_put(&b, TONE_PLAIN, "", s->text, "");
    if (s->say != NULL)
        paragraph_put(&b, TONE_PLAIN, "Say: \"", s->say, "\"");
    if (s->expect != NULL)
        paragraph_put(&b, TONE_FAINT, "Expect: ", s->expect, "");
    o = print_out(&b, f);
    buf_free(&who);
    buf_free(&b);
    return o;
}

/* As much of a text as one line has room for. */
static void short_put(struct buf *b, const char *text)
{
    size_t len = strlen(text), cut = TEXT_COLUMNS;

    if (len <= TEXT_COLUMNS) {
        buf_puts(b, text);
        return;
    }
    while (cut > 0 && text[cut] != ' ')
        cut--;
    buf_put(b, text, cut);
    buf_puts(b, " ...");
}

enum outcome talk_done(const struct runner *r, const struct step *s, const char *how, struct fault *f)
{
    struct buf b = BUF(OUTPUT_MAX), who = BUF(OUTPUT_MAX), text = BUF(OUTPUT_MAX);
    enum outcome o = OK;

    actors_put(r, s, &who);
    short_put(&text, s->text);
    if (r->answers == NULL) {
        talk_note(TONE_GOOD, "%s", how);
    } else {
        buf_putf(&b, "[%2zu/%zu]  %-6s ", r->index + 1, r->script->step_count, s->id);
        print_text(&b, buf_str(&text));
        buf_puts(&b, " (");
        print_text(&b, buf_str(&who));
        buf_puts(&b, "): ");
        print_toned(&b, TONE_GOOD, how);
        buf_puts(&b, "\n");
        o = print_out(&b, f);
    }
    buf_free(&text);
    buf_free(&who);
    buf_free(&b);
    return o;
}

void talk_note(enum tone t, const char *format, ...)
{
    struct buf b = BUF(OUTPUT_MAX), text = BUF(OUTPUT_MAX);
    struct fault ignored = {.outcome = OK};
    va_list ap;

    va_start(ap, format);
    buf_vputf(&text, format, ap);
    va_end(ap);
    paragraph_put(&b, t, "", buf_str(&text), "");
    print_out(&b, &ignored); /* a remark; what must be seen is printed by those who look at the outcome */
    buf_free(&text);
    buf_free(&b);
}

enum outcome talk_read(const char *prompt, struct buf *ret, struct fault *f)
{
    char line[LINE_MAX_BYTES], *start = line;
    size_t len = 0;

    buf_clear(ret);
    printf(PARAGRAPH_INDENT "%s ", prompt);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) {
        printf("\n");
        return fault_set(f, E_REFUSED, "%s", "");
    }
    for (int c = 0; strchr(line, '\n') == NULL && c != '\n' && c != EOF;)
        c = getchar(); /* the rest of a line that is too long */
    start += strspn(start, " \t");
    len = strlen(start);
    while (len > 0 && strchr(" \t\r\n", start[len - 1]) != NULL)
        len--;
    buf_put(ret, start, len);
    explicit_bzero(line, sizeof line);
    return ret->failed ? fault_memory(f) : OK;
}
