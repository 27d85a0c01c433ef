/* The directory that clips are written to: names, bounds, and what an earlier run left behind. Only files whose names this location could have given are ever touched. */
#ifndef FOVEA_PLUGINS_CLIPSTORE_H
#define FOVEA_PLUGINS_CLIPSTORE_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct FoveaClipStore {
  gchar *directory;
  gchar *format;     /* of the name, for g_date_time_format() */
  GRegex *own;       /* names of clips */
  guint64 max_bytes; /* of all clips together; 0: no bound */
  gint64 max_age;    /* seconds; 0: no bound */
  guint64 deleted;   /* clips that made room, or were too old */
} FoveaClipStore;

/* location is a path whose last part may hold {source} and %Y %m %d %H %M %S %j %y %F %s %% (UTC), and which ends in an extension; {source} may stand anywhere. */
gboolean fovea_clip_store_init(FoveaClipStore *store, const gchar *location, const gchar *source, GError **error);
void fovea_clip_store_clear(FoveaClipStore *store);
/* Makes the directory; gives clips that were being written when a process was killed their names. */
gboolean fovea_clip_store_open(FoveaClipStore *store, GError **error);
/* Deletes the oldest clips until all are within the bounds. */
void fovea_clip_store_tidy(FoveaClipStore *store);

/* A new temporary file for a clip that begins at utc (ns since 1970), locked as long as its descriptor is open; -1 with an error. *ret_name is the name it will get, without the directory. */
gint fovea_clip_store_create(FoveaClipStore *store, gint64 utc, gchar **ret_name, GError **error);
/* Syncs and renames; the path, to be freed, or NULL with an error. */
gchar *fovea_clip_store_finish(FoveaClipStore *store, gint descriptor, const gchar *name, GError **error);
void fovea_clip_store_remove(FoveaClipStore *store, const gchar *name);
/* The file holds at least a fragment: it can be played, whatever became of its end. */
gboolean fovea_clip_is_playable(gint descriptor);

G_END_DECLS
#endif
