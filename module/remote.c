#include "module/remote.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/limits.h"
#include "module/functions.h"

struct guard {
    sigset_t before; /* the host's mask */
    bool pending;    /* somebody's SIGPIPE waits already: no other can be told from it */
};

static bool pipe_pending(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static void guard_begin(struct guard *g)
{
    sigset_t pipe_only;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &g->before);
    g->pending = pipe_pending();
}

/* That of a write is the thread's own and comes first (signal(7): sent by the process to itself). One that another process
 * sent meanwhile is the host's: it is sent again. */
static void guard_end(const struct guard *g)
{
    static const struct timespec at_once = {0};
    sigset_t pipe_only;
    siginfo_t info;

    if (!g->pending && pipe_pending()) {
        sigemptyset(&pipe_only);
        sigaddset(&pipe_only, SIGPIPE);
        if (sigtimedwait(&pipe_only, &info, &at_once) == SIGPIPE && info.si_pid != getpid())
            kill(getpid(), SIGPIPE);
    }
    pthread_sigmask(SIG_SETMASK, &g->before, NULL);
}

/* The library's own lists, by place. A place is taken once for the life of the process. */
static struct {
    void *library;
    CK_FUNCTION_LIST f;
    CK_FUNCTION_LIST_3_0 later;
} places[LIMIT_REMOTE_MODULES];

/* clang-format off */
#define EACH_PLACE(X, ...)                                                                                             \
    X(0, __VA_ARGS__) X(1, __VA_ARGS__) X(2, __VA_ARGS__) X(3, __VA_ARGS__)                                            \
    X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__) X(7, __VA_ARGS__)
_Static_assert(LIMIT_REMOTE_MODULES == 8, "EACH_PLACE has as many");
/* clang-format on */

#define GUARDED(place, list, name, params, args)                                                                       \
    static CK_RV guarded_##place##_##name params                                                                       \
    {                                                                                                                  \
        struct guard g;                                                                                                \
        CK_RV rv;                                                                                                      \
                                                                                                                       \
        guard_begin(&g);                                                                                               \
        rv = places[place].list.name args;                                                                             \
        guard_end(&g);                                                                                                 \
        return rv;                                                                                                     \
    }
#define FUNCTION_2_40(name, kind, note, params, args) EACH_PLACE(GUARDED, f, name, params, args)
#define FUNCTION_3_0(name, kind, note, params, args) EACH_PLACE(GUARDED, later, name, params, args)
#include "module/functions.def"

#define ENTRY(place, name) guarded_##place##_##name,
#define ALL_PLACES(name) static __typeof__(&name) const all_##name[] = {EACH_PLACE(ENTRY, name)};
#define FUNCTION_2_40(name, kind, note, params, args) ALL_PLACES(name)
#define FUNCTION_3_0(name, kind, note, params, args) ALL_PLACES(name)
#include "module/functions.def"

enum outcome remote_wrap(struct lower *l, struct fault *f)
{
    size_t place = 0;

    while (place < LIMIT_REMOTE_MODULES && places[place].library && places[place].library != l->library)
        place++;
    if (place == LIMIT_REMOTE_MODULES)
        return fault_set(f, E_MEMORY,
                         "%s is the process's %uth HSM module with `remote: true`, or that looks like a network "
                         "client, and no more than %u are possible; say `remote: false` of one that is none",
                         l->path, LIMIT_REMOTE_MODULES + 1, LIMIT_REMOTE_MODULES);
    places[place].library = l->library;
    places[place].f = l->list;
    places[place].later = l->list_3_0;
#define FUNCTION_2_40(name, kind, note, params, args) l->list.name = all_##name[place];
#define FUNCTION_3_0(name, kind, note, params, args) l->list_3_0.name = all_##name[place];
#include "module/functions.def"
    return OK;
}

static bool opens_a_way(const char *function)
{
    static const char *const names[] = {"socket", "socketpair", "connect",     "pipe",
                                        "pipe2",  "popen",      "SSL_connect", "curl_easy_perform"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(names[i], function) == 0)
            return true;
    return false;
}

/* A pointer of the dynamic section: some architectures' loaders leave it relative to the library's beginning. */
static const void *dynamic_at(const struct link_map *map, const ElfW(Dyn) * d)
{
    uintptr_t at = (uintptr_t)d->d_un.d_ptr; /* NOLINTNEXTLINE(performance-no-int-to-ptr): the loader has it so */
    return (const void *)(at < map->l_addr ? at + map->l_addr : at);
}

/* The imported symbols stand first in the table: the hash table of the exported ones says where those begin (ELF, "GNU
 * hash": buckets, symbols before the first, …; DT_HASH: buckets, all symbols). A library that does not say it is taken for
 * remote. */
bool remote_looks(void *library)
{
    struct link_map *map = NULL;
    const ElfW(Sym) *symbols = NULL;
    const char *names = NULL;
    uint32_t count = 0;

    if (dlinfo(library, RTLD_DI_LINKMAP, &map) != 0 || !map || !map->l_ld)
        return true;
    for (const ElfW(Dyn) *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        if (d->d_tag == DT_SYMTAB)
            symbols = dynamic_at(map, d);
        else if (d->d_tag == DT_STRTAB)
            names = dynamic_at(map, d);
        else if (d->d_tag == DT_GNU_HASH || (d->d_tag == DT_HASH && !count))
            count = ((const uint32_t *)dynamic_at(map, d))[1];
    }
    if (!symbols || !names || !count)
        return true;
    for (uint32_t i = 1; i < count; i++)
        if (symbols[i].st_shndx == SHN_UNDEF && opens_a_way(names + symbols[i].st_name))
            return true;
    return false;
}
