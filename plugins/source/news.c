#include "news.h"

struct FoveaNews {
  GMutex lock;
  GCond changed;
  guint attempt;
  gboolean quit, frame, end, finite, doubt, link_up;
  GError *error;
};

FoveaNews *fovea_news_new(void) {
  FoveaNews *self = g_atomic_rc_box_new0(FoveaNews);
  g_mutex_init(&self->lock);
  g_cond_init(&self->changed);
  return self;
}

FoveaNews *fovea_news_ref(FoveaNews *self) { return g_atomic_rc_box_acquire(self); }

static void clear(gpointer data) {
  FoveaNews *self = data;
  g_clear_error(&self->error);
  g_mutex_clear(&self->lock);
  g_cond_clear(&self->changed);
}

void fovea_news_unref(FoveaNews *self) { g_atomic_rc_box_release_full(self, clear); }

static void forget(FoveaNews *self) {
  self->frame = self->end = self->finite = self->doubt = FALSE;
  g_clear_error(&self->error);
}

void fovea_news_reset(FoveaNews *self) {
  g_mutex_lock(&self->lock);
  forget(self);
  self->attempt = 0;
  self->quit = self->link_up = FALSE;
  g_mutex_unlock(&self->lock);
}

void fovea_news_follow(FoveaNews *self, guint attempt) {
  g_mutex_lock(&self->lock);
  forget(self);
  self->attempt = attempt;
  self->link_up = FALSE;
  g_mutex_unlock(&self->lock);
}

void fovea_news_tell(FoveaNews *self, guint attempt, FoveaNewsKind kind) {
  g_mutex_lock(&self->lock);
  self->quit |= kind == FOVEA_NEWS_QUIT;
  self->link_up |= kind == FOVEA_NEWS_LINK_UP;
  self->frame |= kind == FOVEA_NEWS_FRAME && attempt == self->attempt;
  self->doubt |= kind == FOVEA_NEWS_DOUBT && attempt == self->attempt;
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
}

void fovea_news_tell_error(FoveaNews *self, guint attempt, GError *error) {
  g_mutex_lock(&self->lock);
  if (attempt == self->attempt && !self->error)
    self->error = g_steal_pointer(&error);
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
  g_clear_error(&error);
}

void fovea_news_tell_end(FoveaNews *self, guint attempt, gboolean finite) {
  g_mutex_lock(&self->lock);
  if (attempt == self->attempt) {
    self->end = TRUE;
    self->finite = finite;
  }
  g_cond_broadcast(&self->changed);
  g_mutex_unlock(&self->lock);
}

/* Frames before the end they precede; an error before both, for elements say EOS after one. */
static FoveaNewsKind take(FoveaNews *self, GError **ret_error, gboolean *ret_finite) {
  if (self->quit)
    return FOVEA_NEWS_QUIT;
  if (self->error) {
    *ret_error = g_steal_pointer(&self->error);
    return FOVEA_NEWS_ERROR;
  }
  if (self->frame) {
    self->frame = FALSE;
    return FOVEA_NEWS_FRAME;
  }
  if (self->end) {
    self->end = FALSE;
    *ret_finite = self->finite;
    return FOVEA_NEWS_END;
  }
  if (self->doubt) {
    self->doubt = FALSE;
    return FOVEA_NEWS_DOUBT;
  }
  if (self->link_up) {
    self->link_up = FALSE;
    return FOVEA_NEWS_LINK_UP;
  }
  return FOVEA_NEWS_NONE;
}

FoveaNewsKind fovea_news_wait(FoveaNews *self, gint64 deadline, GError **ret_error, gboolean *ret_finite) {
  FoveaNewsKind kind;
  g_mutex_lock(&self->lock);
  while ((kind = take(self, ret_error, ret_finite)) == FOVEA_NEWS_NONE && g_cond_wait_until(&self->changed, &self->lock, deadline)) {}
  g_mutex_unlock(&self->lock);
  return kind;
}

gboolean fovea_news_is_quit(FoveaNews *self) {
  g_mutex_lock(&self->lock);
  gboolean quit = self->quit;
  g_mutex_unlock(&self->lock);
  return quit;
}
