/* The birth of a key at three sites (design, section 7; module/birth*.c, module/recovery.c, module/settle.c): site 0 is
 * the primary, 1 and 2 the replicas that the rule asks for. Two processes of one host carry out one request; each may die
 * before any step and comes back, each message to a site may be lost on its way, at half its work, or on its way back.
 * What is durable is global; what a process knows is its own. A message that arrives after its sender has given up is not
 * modelled: a site bound as a module has none.
 *
 * Each of the macros BROKEN_… takes one precaution away; tests/model/run.sh wants each of them to be found. */

#define SITES 3
#define REPLICAS 2 /* what the rule asks for */
#ifndef ATTEMPTS
#define ATTEMPTS 2
#endif
#ifndef HOSTS
#define HOSTS 2
#endif
#ifndef DEATHS
#define DEATHS 2
#endif
#ifndef LOSSES
#define LOSSES 2
#endif
#define AT(a, s) ((a) * SITES + (s))
#define CELLS (ATTEMPTS * SITES)

mtype = { NONE, OPEN, BORN, SETTLED, ROLLED_BACK };

/* The log: one attempt is one intent. */
mtype intent[ATTEMPTS] = NONE;
bool offered[CELLS], receipted[CELLS], orphan[CELLS];
/* The HSMs' token objects, by the CKA_ID of the attempt. */
bool secret[CELLS], public[CELLS];
/* Objects of a living birth's session; they die with it. */
bool original[2];
/* The lock of the request: who holds it; freed by death. */
byte holder = 255;
byte deaths = DEATHS, losses = LOSSES, finished = 0;

#define ALIVE(a) (intent[a] == BORN || intent[a] == SETTLED)
#define PROVEN(a, s) (receipted[AT(a, s)] && secret[AT(a, s)])
#define OBJECT(a, s) (secret[AT(a, s)] || public[AT(a, s)])
#define KNOWN_HERE(a) (intent[a] == OPEN || ALIVE(a))
#define KNOWN(a, s) (!OBJECT(a, s) || (offered[AT(a, s)] && KNOWN_HERE(a)) || orphan[AT(a, s)])
#define ENOUGH(a) (!ALIVE(a) || (secret[AT(a, 0)] && PROVEN(a, 1) + PROVEN(a, 2) >= REPLICAS))
#define RECEIPTED(a) (!ALIVE(a) || (receipted[AT(a, 1)] && receipted[AT(a, 2)]))
#define ACCOUNTED(a) ((!OBJECT(a, 0) || KNOWN_HERE(a)) && KNOWN(a, 1) && KNOWN(a, 2))
#define ENDED(a) (intent[a] == NONE || intent[a] == SETTLED || \
                  (intent[a] == ROLLED_BACK && !OBJECT(a, 0) && !OBJECT(a, 1) && !OBJECT(a, 2)))

#define MAY_DIE if :: atomic { deaths > 0 -> deaths--; goto dead } :: true fi
#define MAY_LOSE(what) losses > 0 -> losses--; what; ok = false

/* A message and its answer: what the site has done, and whether we learn it. */
inline accept(a, s)
{
    atomic {
        if
        :: secret[AT(a, s)] = true; public[AT(a, s)] = true; ok = true
        :: MAY_LOSE(skip)
        :: MAY_LOSE(secret[AT(a, s)] = true)
        :: MAY_LOSE(secret[AT(a, s)] = true; public[AT(a, s)] = true)
        fi
    }
}

inline clean(a, s)
{
    atomic {
        if
        :: secret[AT(a, s)] = false; public[AT(a, s)] = false; ok = true
        :: MAY_LOSE(skip)
        :: MAY_LOSE(secret[AT(a, s)] = false)
        :: MAY_LOSE(secret[AT(a, s)] = false; public[AT(a, s)] = false)
        fi
    }
}

inline reach() { atomic { if :: ok = true :: MAY_LOSE(skip) fi } }

inline release() { atomic { if :: holder == me -> holder = 255 :: else fi } }

/* intent_withdraw: the primary must be cleaned; a replica that was offered the key and cannot be is an orphan. */
inline withdraw(a)
{
    original[me] = false;
    clean(a, 0);
    if
    :: !ok -> left = true
    :: else ->
        away[1] = false; away[2] = false;
        s = 1;
        do
        :: s < SITES ->
            MAY_DIE;
            if
            :: offered[AT(a, s)] -> clean(a, s); away[s] = !ok
            :: else
            fi;
            s++
        :: else -> break
        od;
        s = 1;
        do
        :: s < SITES ->
            MAY_DIE;
#ifndef BROKEN_ORPHANS_FORGOTTEN
            if :: away[s] -> orphan[AT(a, s)] = true; left = true :: else fi;
#endif
            s++
        :: else -> break
        od;
        MAY_DIE;
        atomic { if :: intent[a] == OPEN -> intent[a] = ROLLED_BACK :: else fi }
    fi
}

/* intent_complete: the caller's CKA_ID at every site, then `accepted`. */
inline complete(a)
{
    MAY_DIE;
    reach();
    if :: ok -> intent[a] = SETTLED :: else -> left = true fi
}

/* intent_clear_orphans */
inline clear_orphans(a)
{
    s = 1;
    do
    :: s < SITES ->
        if
        :: orphan[AT(a, s)] ->
            MAY_DIE;
            clean(a, s);
            MAY_DIE;
            if :: ok -> orphan[AT(a, s)] = false :: else -> left = true fi
        :: else
        fi;
        s++
    :: else -> break
    od
}

/* birth_settle, with the lock of the request. */
inline settle(a)
{
    if
    :: intent[a] == OPEN ->
        reach();
        if
        :: !ok -> left = true
        :: ok && secret[AT(a, 0)] && public[AT(a, 0)] && receipted[AT(a, 1)] && receipted[AT(a, 2)] ->
            MAY_DIE;
            atomic { if :: intent[a] == OPEN -> intent[a] = BORN :: else fi }
        :: else -> withdraw(a)
        fi
    :: else
    fi;
    if :: intent[a] == BORN -> complete(a) :: else fi;
    if :: intent[a] == ROLLED_BACK -> clear_orphans(a) :: else fi
}

/* settle_token */
inline settle_all()
{
    left = false;
    a = 0;
    do
    :: a < ATTEMPTS && (intent[a] == OPEN || intent[a] == BORN || orphan[AT(a, 1)] || orphan[AT(a, 2)]) ->
        MAY_DIE;
        if
#ifdef BROKEN_LOCK_IGNORED
        :: true -> settle(a)
#else
        :: atomic { holder == 255 -> holder = me }; settle(a); release()
        :: atomic { holder != 255 -> left = true } /* somebody is at it */
#endif
        fi;
        a++
    :: a < ATTEMPTS && !(intent[a] == OPEN || intent[a] == BORN || orphan[AT(a, 1)] || orphan[AT(a, 2)]) -> a++
    :: else -> break
    od
}

/* estate_intend, under the log's append lock: the request is pending again only when what was tried is rolled back. */
inline intend()
{
    atomic {
        a = 0;
        do
        :: a < ATTEMPTS && intent[a] == ROLLED_BACK -> a++
        :: else -> break
        od;
        ok = false;
        if :: a < ATTEMPTS && intent[a] == NONE -> intent[a] = OPEN; ok = true :: else fi
    }
}

inline send(a, s)
{
    MAY_DIE;
#ifdef BROKEN_OFFER_LOGGED_LATE
    accept(a, s);
    MAY_DIE;
    offered[AT(a, s)] = true;
#else
    offered[AT(a, s)] = true;
    MAY_DIE;
    accept(a, s);
#endif
    MAY_DIE;
    if :: ok -> receipted[AT(a, s)] = true :: else fi
}

/* birth_keep: public half first, the private one is what recovery goes by. */
inline keep(a)
{
    MAY_DIE;
    public[AT(a, 0)] = true;
    MAY_DIE;
    secret[AT(a, 0)] = true;
    MAY_DIE;
    original[me] = false
}

inline carry(a)
{
    MAY_DIE;
    original[me] = true;
    send(a, 1);
#ifndef BROKEN_ONE_RECEIPT_IS_ENOUGH
    if
    :: ok -> send(a, 2)
    :: else
    fi;
    /* birth_recheck */
    if
    :: ok && intent[a] == OPEN && receipted[AT(a, 1)] && receipted[AT(a, 2)] -> keep(a)
#else
    if
    :: ok && intent[a] == OPEN && receipted[AT(a, 1)] -> keep(a)
#endif
    :: else -> ok = false
    fi
}

proctype host(byte me)
{
    byte a, s;
    bool ok, left, away[SITES];

again:
    a = 0; s = 0; ok = false; left = false; away[1] = false; away[2] = false;
    settle_all();
    if
    :: left -> goto again
    :: else
    fi;
    if
    :: ALIVE(0) || ALIVE(1) || intent[ATTEMPTS - 1] != NONE -> goto done
    :: else
    fi;
    if
    :: atomic { holder == 255 -> holder = me }
    :: atomic { holder != 255 -> goto again }
    fi;
    intend();
    if
    :: !ok -> release(); goto again
    :: else
    fi;
    carry(a);
    if
    :: ok ->
        MAY_DIE;
        intent[a] = BORN;
        complete(a)
    :: else -> withdraw(a)
    fi;
    release();
    goto again;
dead:
    atomic {
        original[me] = false;
        release();
        goto again
    }
done:
    finished++
}

/* At every moment. */
proctype watcher()
{
end:
    atomic {
        !(ENOUGH(0) && ENOUGH(1) && RECEIPTED(0) && RECEIPTED(1) && ACCOUNTED(0) && ACCOUNTED(1)) ->
        assert(ENOUGH(0) && ENOUGH(1));     /* nothing visible with fewer proven replicas than the rule asks for */
        assert(RECEIPTED(0) && RECEIPTED(1)); /* born only with receipts */
        assert(ACCOUNTED(0) && ACCOUNTED(1))  /* no object that the log does not account for */
    }
}

init
{
    atomic { run watcher(); run host(0); if :: HOSTS == 2 -> run host(1) :: else fi }
    finished == HOSTS;
    assert(!(ALIVE(0) && ALIVE(1)));
    assert(ENDED(0) && ENDED(1));
    assert(!original[0] && !original[1])
}
