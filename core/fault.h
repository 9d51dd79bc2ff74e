#ifndef QUORATE_CORE_FAULT_H
#define QUORATE_CORE_FAULT_H

/* How a function ended. Everything but OK means: no output was written. */
enum outcome {
    OK = 0,
    E_INVALID, /* malformed: usage, document, encoding */
    E_REFUSED, /* well formed, but a rule, a signature or a state says no */
    E_PENDING, /* waits for people */
    E_ABSENT,  /* what was named does not exist */
    E_BUSY,    /* somebody else holds it */
    E_DEVICE,  /* an HSM or a card said no, or lied */
    E_IO,      /* the operating system said no */
    E_MEMORY   /* out of memory, or a limit of core/limits.h was met */
};

/* What went wrong, for a person: what, where, the next step. Written by whoever finds it, extended on the way
 * up by whoever knows more (fault_context). Never holds a secret. */
struct fault {
    enum outcome outcome;
    char text[1024];
};

/* Sets the text and returns the outcome, so that `return fault_set(...)` and `goto out` read in one line.
 * f is never NULL. Text that does not fit is cut; control characters, line ends among them, become U+FFFD. */
enum outcome fault_set(struct fault *f, enum outcome outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text that is there; keeps and returns the outcome. */
enum outcome fault_context(struct fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* E_MEMORY with the standard text. */
enum outcome fault_memory(struct fault *f);

/* E_IO: "what PATH: strerror(errno)". Keeps errno. */
enum outcome fault_errno(struct fault *f, const char *what, const char *path);

#endif
