#include "memoryqueue.h"

#include <string.h>

#define SEQUENCE_MASK ((G_GUINT64_CONSTANT(1) << 56) - 1)

typedef struct Message {
  FvSpoolRecord record; /* data is that of bytes */
  GBytes *bytes;        /* outlives the message where the reader holds it */
} Message;

/* One priority, oldest first. */
typedef struct Lane {
  GQueue messages;
  GList *backlog; /* the next old one to give; NULL: none is left */
  GList *fresh;   /* the next new one */
} Lane;

struct FoveaMemoryQueue {
  GMutex lock;
  FoveaMemoryQueueParams params;
  Lane lanes[FV_SPOOL_PRIORITIES];
  GHashTable *given; /* id -> link in its lane */
  GBytes *current;   /* of the last next */
  guint64 next_id, mark; /* what is below mark is backlog */
  gdouble tokens;
  gint64 filled_at;
  FoveaMemoryQueueStats stats;
};

static Message *message_of(const GList *link) { return link->data; }
static guint64 cost(const Message *message) { return message->record.size + FOVEA_MEMORY_RECORD_BYTES; }

static void message_free(gpointer data) {
  Message *message = data;
  g_bytes_unref(message->bytes);
  g_free(message);
}

FoveaMemoryQueue *fovea_memory_queue_new(const FoveaMemoryQueueParams *params) {
  FoveaMemoryQueue *queue = g_new0(FoveaMemoryQueue, 1);
  g_mutex_init(&queue->lock);
  queue->params = *params;
  queue->next_id = queue->mark = 1;
  queue->filled_at = g_get_monotonic_time();
  queue->given = g_hash_table_new(g_int64_hash, g_int64_equal); /* keys live in the messages */
  return queue;
}

void fovea_memory_queue_free(FoveaMemoryQueue *queue) {
  if (!queue)
    return;
  for (guint p = 0; p < FV_SPOOL_PRIORITIES; p++)
    g_queue_clear_full(&queue->lanes[p].messages, message_free);
  g_hash_table_unref(queue->given);
  g_clear_pointer(&queue->current, g_bytes_unref);
  g_mutex_clear(&queue->lock);
  g_free(queue);
}

/* --- with the lock held ------------------------------------------------------------------------------------ */

static gboolean is_backlog(const FoveaMemoryQueue *queue, const GList *link) {
  return link && (message_of(link)->record.id & SEQUENCE_MASK) < queue->mark;
}

static GList *after_backlog(const FoveaMemoryQueue *queue, const GList *link) {
  if (queue->params.newest_first)
    return link->prev;
  return is_backlog(queue, link->next) ? link->next : NULL;
}

static void remove_message(FoveaMemoryQueue *queue, Lane *lane, GList *link) {
  Message *message = message_of(link);
  if (lane->backlog == link)
    lane->backlog = after_backlog(queue, link);
  if (lane->fresh == link)
    lane->fresh = link->next;
  g_hash_table_remove(queue->given, &message->record.id);
  queue->stats.bytes -= cost(message);
  queue->stats.records--;
  g_queue_delete_link(&lane->messages, link);
  message_free(message);
}

/* The lane whose oldest message makes room for one of a priority, or NULL. */
static Lane *choose_victim(FoveaMemoryQueue *queue, guint priority) {
  Lane *victim = NULL;
  if (queue->params.policy == FV_SPOOL_REFUSE_NEW)
    return NULL;
  for (guint p = 0; p < FV_SPOOL_PRIORITIES; p++) {
    Lane *lane = &queue->lanes[p];
    if (!lane->messages.head)
      continue;
    if (queue->params.policy == FV_SPOOL_DROP_LOWEST_PRIORITY)
      return p <= priority ? lane : NULL;
    if (!victim || message_of(lane->messages.head)->record.monotonic_ns < message_of(victim->messages.head)->record.monotonic_ns)
      victim = lane;
  }
  return victim;
}

static void drop_oldest(FoveaMemoryQueue *queue, Lane *lane) {
  remove_message(queue, lane, lane->messages.head);
  queue->stats.dropped++;
}

static void drop_aged(FoveaMemoryQueue *queue, gint64 now_ns) {
  for (guint p = 0; queue->params.max_age_s && p < FV_SPOOL_PRIORITIES; p++) {
    Lane *lane = &queue->lanes[p];
    while (lane->messages.head && (now_ns - message_of(lane->messages.head)->record.monotonic_ns) / 1000000000 >= (gint64)queue->params.max_age_s)
      drop_oldest(queue, lane);
  }
}

static gboolean make_room(FoveaMemoryQueue *queue, guint64 need, guint priority) {
  if (need > queue->params.max_bytes)
    return FALSE;
  while (queue->stats.bytes + need > queue->params.max_bytes) {
    Lane *victim = choose_victim(queue, priority);
    if (!victim)
      return FALSE;
    drop_oldest(queue, victim);
  }
  return TRUE;
}

static void refill(FoveaMemoryQueue *queue) {
  gint64 now = g_get_monotonic_time();
  gdouble rate = (gdouble)queue->params.backlog_bytes_per_s;
  queue->tokens = MIN(rate, queue->tokens + rate * (gdouble)(now - queue->filled_at) / G_USEC_PER_SEC);
  queue->filled_at = now;
}

/* The place of the pointer that has the next one in turn, or NULL. */
static GList **choose(FoveaMemoryQueue *queue, gboolean backlog) {
  for (gint p = FV_SPOOL_PRIORITIES - 1; p >= 0; p--) {
    GList **place = backlog ? &queue->lanes[p].backlog : &queue->lanes[p].fresh;
    if (*place)
      return place;
  }
  return NULL;
}

static GList **choose_any(FoveaMemoryQueue *queue) {
  gboolean may = queue->params.backlog_bytes_per_s == 0 || queue->tokens > 0;
  GList **old = choose(queue, TRUE), **fresh = choose(queue, FALSE);
  if (queue->params.in_order)
    return old ? may ? old : NULL : fresh;
  return fresh ? fresh : may ? old : NULL;
}

/* --- */

gboolean fovea_memory_queue_append(FoveaMemoryQueue *queue, const FvSpoolRecord *record) {
  Message *message = g_new0(Message, 1);
  message->record = *record;
  message->record.monotonic_ns = g_get_monotonic_time() * 1000;
  message->bytes = g_bytes_new(record->data, record->size);
  message->record.data = g_bytes_get_data(message->bytes, NULL);
  Lane *lane = &queue->lanes[record->priority];
  g_mutex_lock(&queue->lock);
  drop_aged(queue, message->record.monotonic_ns);
  gboolean room = make_room(queue, cost(message), record->priority);
  if (room) {
    message->record.id = (guint64)record->priority << 56 | queue->next_id++;
    g_queue_push_tail(&lane->messages, message);
    lane->fresh = lane->fresh ? lane->fresh : lane->messages.tail;
    queue->stats.bytes += cost(message);
    queue->stats.records++;
  } else {
    queue->stats.refused++;
  }
  g_mutex_unlock(&queue->lock);
  if (!room)
    message_free(message);
  return room;
}

gboolean fovea_memory_queue_next(FoveaMemoryQueue *queue, FvSpoolRecord *ret_record) {
  g_mutex_lock(&queue->lock);
  refill(queue);
  g_clear_pointer(&queue->current, g_bytes_unref);
  GList **place = choose_any(queue), *link = place ? *place : NULL;
  if (link) {
    gboolean old = is_backlog(queue, link);
    *place = old ? after_backlog(queue, link) : link->next;
    Message *message = message_of(link);
    *ret_record = message->record;
    queue->current = g_bytes_ref(message->bytes);
    queue->tokens -= old ? (gdouble)message->record.size : 0;
    g_hash_table_insert(queue->given, &message->record.id, link);
  }
  g_mutex_unlock(&queue->lock);
  return link != NULL;
}

void fovea_memory_queue_acknowledge(FoveaMemoryQueue *queue, guint64 id) {
  g_mutex_lock(&queue->lock);
  GList *link = g_hash_table_lookup(queue->given, &id);
  if (link)
    remove_message(queue, &queue->lanes[id >> 56], link);
  g_mutex_unlock(&queue->lock);
}

void fovea_memory_queue_rewind(FoveaMemoryQueue *queue) {
  g_mutex_lock(&queue->lock);
  g_hash_table_remove_all(queue->given);
  queue->mark = queue->next_id;
  for (guint p = 0; p < FV_SPOOL_PRIORITIES; p++) {
    Lane *lane = &queue->lanes[p];
    lane->fresh = NULL;
    lane->backlog = queue->params.newest_first ? lane->messages.tail : lane->messages.head;
  }
  g_mutex_unlock(&queue->lock);
}

void fovea_memory_queue_stats(FoveaMemoryQueue *queue, FoveaMemoryQueueStats *ret_stats) {
  g_mutex_lock(&queue->lock);
  *ret_stats = queue->stats;
  g_mutex_unlock(&queue->lock);
}
