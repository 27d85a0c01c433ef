/* What has happened to a source since its supervisor looked last. Counted references: an attempt that was let go of may still tell, and is not heard. */
#ifndef FOVEA_SOURCE_NEWS_H
#define FOVEA_SOURCE_NEWS_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct FoveaNews FoveaNews;

typedef enum FoveaNewsKind {
  FOVEA_NEWS_NONE,   /* the time is up */
  FOVEA_NEWS_QUIT,   /* comes before all others, and stays */
  FOVEA_NEWS_ERROR,
  FOVEA_NEWS_FRAME,  /* the attempt's first */
  FOVEA_NEWS_END,
  FOVEA_NEWS_DOUBT,  /* there is a sign that no more frames may come */
  FOVEA_NEWS_LINK_UP,
} FoveaNewsKind;

FoveaNews *fovea_news_new(void);
FoveaNews *fovea_news_ref(FoveaNews *news);
void fovea_news_unref(FoveaNews *news);

/* Forgets everything, quitting too. */
void fovea_news_reset(FoveaNews *news);
/* From now on that attempt alone is heard; what others told is forgotten. 0: none. */
void fovea_news_follow(FoveaNews *news, guint attempt);
void fovea_news_tell(FoveaNews *news, guint attempt, FoveaNewsKind kind); /* attempt 0: not about one */
void fovea_news_tell_error(FoveaNews *news, guint attempt, GError *error); /* takes the error; the first one is kept */
void fovea_news_tell_end(FoveaNews *news, guint attempt, gboolean finite);
/* Waits until there are news, at most until deadline (monotonic us). ret_error only with FOVEA_NEWS_ERROR, ret_finite only with FOVEA_NEWS_END: whether what
 * ended has a known length, as a film has and a camera has not. */
FoveaNewsKind fovea_news_wait(FoveaNews *news, gint64 deadline, GError **ret_error, gboolean *ret_finite);
gboolean fovea_news_is_quit(FoveaNews *news);

G_END_DECLS
#endif
