#include "numa/base/guard.h"

#include "numa/base/assert.h"

static _Thread_local volatile uint8_t polling_mark;
static void (*watcher)(volatile uint8_t *mark);

void guard_watch_set(void (*watch)(volatile uint8_t *mark))
{
    watcher = watch;
}

void guard_polling_begin(void)
{
    ENSURE(polling_mark == 0);
    if (watcher != NULL)
        watcher(&polling_mark);
    polling_mark = 1;
}

void guard_polling_end(void)
{
    ENSURE(polling_mark == 1);
    polling_mark = 0;
}

bool guard_polling(void)
{
    return polling_mark != 0;
}
