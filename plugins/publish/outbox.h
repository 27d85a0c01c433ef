/* What waits between pipeline and network, until the far side has it: on disk (fovea/spool.h) or in memory, behind one interface. A disk that fails or is full does not
 * stop anybody: what it does not take waits in memory meanwhile.
 *
 * Append from any thread; everything else but stats belongs to one thread, the courier's. */
#ifndef FOVEA_PLUGINS_OUTBOX_H
#define FOVEA_PLUGINS_OUTBOX_H

#include <gio/gio.h>

#include <fovea/spool.h>

G_BEGIN_DECLS

#define FOVEA_OUTBOX_MEMORY_BYTES (16u << 20) /* of a box in memory, unless told otherwise */
#define FOVEA_OUTBOX_DISK_BYTES (512u << 20)
#define FOVEA_OUTBOX_TICK_MS 500
#define FOVEA_OUTBOX_READER "publish" /* its name in the spool */

typedef struct FoveaOutbox FoveaOutbox;

typedef struct FoveaOutboxSettings {
  const gchar *spool; /* directory; NULL: in memory */
  guint64 bytes;      /* 0: FOVEA_OUTBOX_MEMORY_BYTES or FOVEA_OUTBOX_DISK_BYTES */
  guint64 age_s;      /* 0: no bound */
  FvSpoolPolicy policy; /* with FV_SPOOL_DROP_LOWEST_PRIORITY what has a higher priority is given first, too; otherwise all are alike and keep their order */
  FvSpoolSync sync;
  guint sync_interval_ms;
  gboolean newest_first;    /* of the backlog; what is new comes before it */
  guint64 backlog_bytes_per_s; /* 0: no limit, and the backlog comes before what is new; otherwise the new goes first */
} FoveaOutboxSettings;

typedef struct FoveaOutboxStats {
  guint64 pending, in_memory; /* messages not acknowledged; those of them that go with the process */
  guint64 bytes;   /* that they and what surrounds them take */
  guint64 dropped, refused; /* messages lost: to make room or by age; because there was none */
  gboolean on_disk, degraded; /* degraded: a spool was asked for and its disk does not take everything */
} FoveaOutboxStats;

/* NULL with an error where the spool cannot be used and waiting will not help: another process has it, the directory cannot be made. A disk that is read-only or full is
 * no error: *ret_problem (to be freed) then says so, and everything waits in memory. */
FoveaOutbox *fovea_outbox_new(const FoveaOutboxSettings *settings, gchar **ret_problem, GError **error);
/* What is in memory is lost with it. Accepts NULL. */
void fovea_outbox_free(FoveaOutbox *outbox);

/* FALSE with an error: the message is lost, and counted as refused. */
gboolean fovea_outbox_append(FoveaOutbox *outbox, guint8 priority, const gchar *line, gsize size, GError **error);
/* Whether messages wait, besides those that were given and are open, that only the limit of the backlog keeps from being given. */
gboolean fovea_outbox_holds_back(FoveaOutbox *outbox, guint open);
/* The next message in turn, its data valid until the next call; FALSE: none now. */
gboolean fovea_outbox_next(FoveaOutbox *outbox, FvSpoolRecord *ret_message);
void fovea_outbox_acknowledge(FoveaOutbox *outbox, guint64 id);
/* The connection was lost: all that is not acknowledged comes again. */
void fovea_outbox_rewind(FoveaOutbox *outbox);
/* Acknowledged messages that a killed process would send again; keep writes down that it need not. */
guint fovea_outbox_unkept(const FoveaOutbox *outbox);
void fovea_outbox_keep(FoveaOutbox *outbox);
/* When it is time, writes through to the disk, keeps, and drops what is too old. Call it every FOVEA_OUTBOX_TICK_MS or so. */
void fovea_outbox_tick(FoveaOutbox *outbox);

void fovea_outbox_stats(FoveaOutbox *outbox, FoveaOutboxStats *ret_stats); /* any thread */
/* What the disk said last, or NULL when it takes everything again. Any thread; to be freed. */
gchar *fovea_outbox_problem(FoveaOutbox *outbox);

G_END_DECLS
#endif
