#include <stdarg.h>
#include <stdio.h>

#include "ceremony/script_inner.h"

/* What can only be said of all the steps together. */

static enum outcome step_fault(const struct script *s, const struct step *step, struct fault *f, const char *format,
                               ...) __attribute__((format(printf, 4, 5)));

static enum outcome step_fault(const struct script *s, const struct step *step, struct fault *f, const char *format,
                               ...)
{
    char text[sizeof f->text];
    va_list ap;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return fault_set(f, E_INVALID, "%s:%u:%u: step %s: %s", s->file, step->line, step->column, step->id, text);
}

/* `for` is the number of a step, or what it saves; it comes later and is something that can be approved. */
static enum outcome target_find(struct script *s, struct step *step, struct fault *f)
{
    const struct step *target = script_saved(s, step->waiting);

    if (target == NULL)
        return step_fault(s, step, f, "`for: %s` is neither the number of a step nor what one saves", step->waiting);
    if (target <= step)
        return step_fault(s, step, f, "`for: %s` is not a later step; approvals come first", step->waiting);
    if (target->action->operation < 0)
        return step_fault(s, step, f, "`for: %s` is a step that needs nobody's approval", step->waiting);
    step->target = target;
    return OK;
}

static enum outcome saves_check(const struct script *s, const struct step *step, struct fault *f)
{
    if (script_saved(s, step->saves) != step || script_step(s, step->saves) != NULL)
        return step_fault(s, step, f, "another step saves \"%s\", or has that number; names were expected to differ",
                          step->saves);
    return OK;
}

static bool entered_before(const struct script *s, const struct step *step)
{
    for (const struct step *earlier = s->steps; earlier < step; earlier++) {
        if (earlier->action->kind == ACTION_ENTER && earlier->role == step->role)
            return true;
    }
    return false;
}

enum outcome script_check_steps(struct script *s, struct fault *f)
{
    enum outcome o = OK;

    for (size_t i = 0; i < s->step_count && o == OK; i++) {
        struct step *step = &s->steps[i];
        bool last = i + 1 == s->step_count, close = step->action->kind == ACTION_CLOSE;

        if (last != close)
            o = step_fault(s, step, f, "%s",
                           last ? "the last step must be `do: close`" : "only the last step may close");
        if (o == OK && step->action->kind != ACTION_ENTER && !entered_before(s, step))
            o = step_fault(s, step, f, "nobody of the role %s has entered yet; an `enter` step was expected before",
                           step->role->id);
        if (o == OK && step->saves != NULL)
            o = saves_check(s, step, f);
        if (o == OK && step->waiting != NULL)
            o = target_find(s, step, f);
    }
    return o;
}
