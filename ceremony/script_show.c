#include <string.h>

#include "ceremony/action_certificate.h"
#include "ceremony/print.h"
#include "ceremony/script.h"
#include "ceremony/script_paragraph.h"
#include "ceremony/tool.h"
#include "core/encode.h"
#include "core/limits.h"

/* `quorate script check` and `quorate script print`. */

static json_t *script_json(const struct script *s)
{
    json_t *j = json_object(), *steps = json_array();
    int64_t minutes = 0;
    bool good = j != NULL && steps != NULL;

    for (size_t i = 0; i < s->step_count && good; i++) {
        const struct step *step = &s->steps[i];
        struct buf by = BUF(LIMIT_NAME * 2);
        json_t *item = json_object();

        step_by_put(step, &by);
        good = json_put_string(item, "by", buf_str(&by)) && json_put_string(item, "do", step->action->name) &&
               json_put_string(item, "id", step->id) && json_put_integer(item, "minutes", step->minutes) &&
               json_put_string(item, "step", step->text) && json_array_append(steps, item) == 0;
        minutes += step->minutes;
        json_decref(item);
        buf_free(&by);
    }
    good = good && json_put_digest(j, "canonical", &s->canonical) && json_put_digest(j, "digest", &s->digest) &&
           json_put_string(j, "id", s->id) && json_put_integer(j, "minutes", minutes) &&
           json_put(j, "steps", json_incref(steps));
    json_decref(steps);
    if (good)
        return j;
    json_decref(j);
    return NULL;
}

static void summary_put(const struct script *s, struct buf *b)
{
    unsigned minutes = 0;

    print_head(b, s->title);
    print_field(b, "script", "%s", s->id);
    print_field(b, "digest", "%s", digest_hex(&s->digest).hex);
    if (s->classification != NULL)
        print_field(b, "class", "%s", s->classification);
    for (size_t i = 0; i < s->role_count; i++)
        print_field(b, i == 0 ? "roles" : "", "%s: %u or more of %s%s", s->roles[i].id, s->roles[i].at_least,
                    s->roles[i].of, s->roles[i].card_optional ? ", card optional" : "");
    for (size_t i = 0; i < s->act_count; i++) {
        print_field(b, i == 0 ? "acts" : "", "%zu  %s: %u steps, %u minutes", i + 1, s->acts[i].title, s->acts[i].steps,
                    s->acts[i].minutes);
        minutes += s->acts[i].minutes;
    }
    print_field(b, "together", "%zu acts, %zu steps, %u minutes", s->act_count, s->step_count, minutes);
}

enum outcome run_script_check(const struct arguments *a, struct fault *f)
{
    struct script *s = NULL;
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = script_read(a->operands[0], &s, f);

    if (o == OK)
        o = certificate_steps_check(s, f);
    if (o == OK && argument_flag(a, "json")) {
        o = print_json(script_json(s), f);
    } else if (o == OK) {
        summary_put(s, &b);
        o = print_out(&b, f);
    }
    script_free(s);
    buf_free(&b);
    return o;
}

/* What is written by hand while the step is done. */
static void blanks_put(const struct step *step, struct buf *b)
{
    const char *names = strcmp(step->action->answers, "*") == 0 ? NULL : step->action->answers;

    for (size_t i = 0; names == NULL && i < step->with_count; i++) {
        buf_puts(b, "        ");
        print_text(b, step->with[i].name);
        buf_puts(b, ": ______________________________\n");
    }
    for (; names != NULL && *names != '\0'; names += strspn(names, " ")) {
        size_t len = strcspn(names, " ");

        if (*names != '?')
            buf_putf(b, "        %.*s: ______________________________\n", (int)len, names);
        names += len;
    }
}

static void with_put(const struct step_value *v, struct buf *b)
{
    struct buf name = BUF(LIMIT_NAME + 8);

    buf_putf(&name, "%s: ", v->name);
    paragraph_put(b, TONE_PLAIN, buf_str(&name), v->value, "");
    buf_free(&name);
}

static void step_put(const struct step *step, struct buf *b)
{
    struct buf by = BUF(LIMIT_NAME * 2);

    step_by_put(step, &by);
    buf_putf(b, "%-7s [    ]  ____:____   %s", step->id, buf_str(&by));
    if (step->minutes > 0)
        buf_putf(b, ", %u min", step->minutes);
    buf_puts(b, "\n");
    paragraph_put(b, TONE_PLAIN, "", step->text, "");
    if (step->say != NULL)
        paragraph_put(b, TONE_PLAIN, "Say: \"", step->say, "\"");
    if (step->expect != NULL)
        paragraph_put(b, TONE_PLAIN, "Expect: ", step->expect, "");
    if (step->class != NULL)
        buf_putf(b, "        Confidential: %s\n", step->class);
    for (size_t i = 0; i < step->answer_classes.names.count; i++)
        buf_putf(b, "        Confidential: %s (%s)\n", step->answer_classes.names.items[i],
                 step->answer_classes.classes.items[i]);
    if (step->action->kind != ACTION_RECORD)
        for (size_t i = 0; i < step->with_count; i++)
            with_put(&step->with[i], b);
    if (step->target != NULL)
        buf_putf(b, "        for: step %s\n", step->target->id);
    blanks_put(step, b);
    buf_puts(b, "\n");
    b->failed = b->failed || by.failed;
    buf_free(&by);
}

static void paper_put(const struct script *s, struct buf *b)
{
    const char *act = NULL;

    buf_puts(b, "# ");
    print_text(b, s->title);
    buf_puts(b, "\n\n");
    if (s->classification != NULL)
        buf_putf(b, "Classification: %s\n", s->classification);
    buf_putf(b, "Script: %s\nSHA-256: %s\n", s->id, digest_hex(&s->digest).hex);
    buf_puts(b, "Date: ____________________   Place: ________________________________________\n\n## People\n\n");
    for (size_t i = 0; i < s->role_count; i++)
        for (unsigned n = 0; n < s->roles[i].at_least; n++)
            buf_putf(b, "%-16s (%s)  name: ______________________________  initials: [    ]\n", s->roles[i].id,
                     s->roles[i].of);
    for (size_t i = 0; i < s->step_count; i++) {
        if (s->steps[i].act != act) {
            act = s->steps[i].act;
            buf_putf(b, "\n## Act %u: ", s->steps[i].act_number);
            print_text(b, act);
            buf_puts(b, "\n\n");
        }
        step_put(&s->steps[i], b);
    }
    buf_puts(b, "## Deviations\n\nStep ________  cause ________________________________________  accepted by [    ]\n"
                "Step ________  cause ________________________________________  accepted by [    ]\n");
}

enum outcome run_script_print(const struct arguments *a, struct fault *f)
{
    struct script *s = NULL;
    struct buf b = BUF(OUTPUT_MAX);
    enum outcome o = script_read(a->operands[0], &s, f);

    if (o == OK) {
        paper_put(s, &b);
        o = print_exact(&b, f);
    }
    script_free(s);
    buf_free(&b);
    return o;
}
