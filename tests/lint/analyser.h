#ifndef QUORATE_TESTS_LINT_ANALYSER_H
#define QUORATE_TESTS_LINT_ANALYSER_H

/* For clang-tidy alone: what core/fault.c returns is known, so that the analyser does not walk on after a failure as if
 * it had been OK. */
#include "core/fault.h"

#define fault_set(f, outcome, ...) (fault_set(f, outcome, __VA_ARGS__), (outcome))
#define fault_memory(f) (fault_memory(f), E_MEMORY)
#define fault_errno(f, what, path) (fault_errno(f, what, path), E_IO)

#endif
