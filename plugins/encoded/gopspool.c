#include "gopspool.h"

#include "bytes.h"

#define RECORD_OVERHEAD 256 /* more than a record's own header in a segment, and the segment's */
#define MAX_PIECES 4096
/* of all records of one GOP; more than any that is written takes */
#define MAX_MESSAGE_BYTES ((gsize)FOVEA_GOP_MAX_BYTES + FOVEA_GOP_MAX_CAPS + 1024 + 32 * (gsize)FOVEA_GOP_MAX_FRAMES + FOVEA_GOP_PIECE_HEAD * (gsize)MAX_PIECES)

gint64 fovea_gop_segment_bytes(gint64 max_bytes) {
  return CLAMP(max_bytes / 16, 64 << 10, 32 << 20);
}

gsize fovea_gop_record_bytes(gint64 segment_bytes) {
  return (gsize)MIN(segment_bytes / 2 - RECORD_OVERHEAD, (gint64)FV_SPOOL_MAX_RECORD_BYTES);
}

/* ---- writing ---- */

static int put_piece(FvSpool *spool, const FvSpoolRecord *record, guint8 *buffer, guint64 key, guint index, guint count, FvError *err) {
  memset(buffer, 0, FOVEA_GOP_PIECE_HEAD);
  buffer[0] = 1;
  fovea_put_u16(buffer + 2, (guint16)index);
  fovea_put_u16(buffer + 4, (guint16)count);
  fovea_put_u64(buffer + 8, key);
  return fv_spool_append(spool, record, NULL, err);
}

int fovea_gop_spool(FvSpool *spool, const FoveaGop *gop, guint8 priority, gsize record_bytes, FvError *err) {
  gsize room = record_bytes - FOVEA_GOP_PIECE_HEAD, size;
  GBytes *message = fovea_gop_encode(gop);
  const guint8 *bytes = g_bytes_get_data(message, &size);
  guint count = (guint)((size + room - 1) / room);
  guint64 key = (guint64)(gop->epoch + gop->start) ^ ((guint64)gop->part << 48);
  guint8 *buffer = g_malloc(record_bytes);
  int result = count <= MAX_PIECES ? 0 : fv_error_set(err, FV_ERR_LIMIT, "a GOP of %zu bytes is too large for a spool with records of %zu; make spool-bytes larger", size, record_bytes);
  for (guint i = 0; result == 0 && i < count; i++) {
    gsize piece = MIN(room, size - i * room);
    memcpy(buffer + FOVEA_GOP_PIECE_HEAD, bytes + i * room, piece);
    FvSpoolRecord record = {.type = FOVEA_GOP_RECORD, .priority = priority, .data = buffer, .size = FOVEA_GOP_PIECE_HEAD + piece};
    result = put_piece(spool, &record, buffer, key, i, count, err);
  }
  g_free(buffer);
  g_bytes_unref(message);
  return result;
}

/* ---- reading ---- */

typedef struct Pieces {
  guint64 key;
  guint count, have;
  gsize bytes;
  gboolean down;     /* the last piece comes first */
  GByteArray **parts;
  GArray *ids;
} Pieces;

static void pieces_clear(Pieces *pieces) {
  for (guint i = 0; i < pieces->count; i++)
    if (pieces->parts[i])
      g_byte_array_unref(pieces->parts[i]);
  g_clear_pointer(&pieces->parts, g_free);
  g_clear_pointer(&pieces->ids, g_array_unref);
  *pieces = (Pieces){0};
}

/* What cannot be put together is as good as sent: it must not come again and again. */
static void give_up(FoveaGopReader *reader, Pieces *pieces) {
  if (!pieces->count)
    return;
  reader->damaged++;
  fovea_gop_acknowledge(reader, pieces->ids);
  pieces_clear(pieces);
}

static gboolean is_piece(const FvSpoolRecord *record) {
  const guint8 *head = record->data;
  if (record->type != FOVEA_GOP_RECORD || record->size <= FOVEA_GOP_PIECE_HEAD || head[0] != 1)
    return FALSE;
  guint index = fovea_get_u16(head + 2), count = fovea_get_u16(head + 4);
  return count > 0 && count <= MAX_PIECES && index < count;
}

static void add_piece(FoveaGopReader *reader, Pieces *pieces, const FvSpoolRecord *record) {
  const guint8 *head = record->data;
  guint index = fovea_get_u16(head + 2), count = fovea_get_u16(head + 4);
  guint64 key = fovea_get_u64(head + 8);
  guint expected = pieces->down ? pieces->count - 1 - pieces->have : pieces->have;
  if (pieces->count && (pieces->key != key || pieces->count != count || index != expected))
    give_up(reader, pieces);
  if (!pieces->count)
    *pieces = (Pieces){.key = key, .count = count, .down = index != 0, .parts = g_new0(GByteArray *, count), .ids = g_array_new(FALSE, FALSE, sizeof(guint64))};
  g_array_append_val(pieces->ids, record->id);
  pieces->parts[index] = g_byte_array_append(g_byte_array_new(), head + FOVEA_GOP_PIECE_HEAD, (guint)(record->size - FOVEA_GOP_PIECE_HEAD));
  pieces->bytes += record->size;
  pieces->have++;
  if ((pieces->have == 1 && index != 0 && index != count - 1) || pieces->bytes > MAX_MESSAGE_BYTES)
    give_up(reader, pieces);
}

static FoveaGop *put_together(Pieces *pieces) {
  GByteArray *whole = g_byte_array_new();
  for (guint i = 0; i < pieces->count; i++) g_byte_array_append(whole, pieces->parts[i]->data, pieces->parts[i]->len);
  GBytes *message = g_byte_array_free_to_bytes(whole);
  FoveaGop *gop = fovea_gop_decode(message, NULL);
  g_bytes_unref(message);
  return gop;
}

static FoveaGop *finish(FoveaGopReader *reader, Pieces *pieces, GArray **ret_ids) {
  FoveaGop *gop = put_together(pieces);
  if (!gop) {
    give_up(reader, pieces);
    return NULL;
  }
  for (guint i = 0; i < pieces->ids->len; i++) {
    gint64 id = (gint64)g_array_index(pieces->ids, guint64, i);
    g_hash_table_add(reader->out, g_memdup2(&id, sizeof id));
  }
  *ret_ids = g_array_ref(pieces->ids);
  pieces_clear(pieces);
  return gop;
}

FoveaGop *fovea_gop_unspool(FoveaGopReader *reader, GArray **ret_ids, FvError *err) {
  Pieces pieces = {0};
  FoveaGop *gop = NULL;
  FvSpoolRecord record;
  int state;
  err->code = FV_OK;
  while (!gop && (state = fv_spool_next(reader->reader, &record, err)) > 0) {
    gint64 id = (gint64)record.id;
    if (g_hash_table_contains(reader->out, &id))
      continue;
    if (is_piece(&record))
      add_piece(reader, &pieces, &record);
    else
      fv_spool_acknowledge(reader->reader, record.id, NULL); /* another program's, or of a later version */
    if (pieces.count && pieces.have == pieces.count)
      gop = finish(reader, &pieces, ret_ids);
  }
  if (!gop && err->code == FV_OK)
    give_up(reader, &pieces);
  pieces_clear(&pieces);
  return gop;
}

void fovea_gop_acknowledge(FoveaGopReader *reader, const GArray *ids) {
  for (guint i = 0; i < ids->len; i++) fv_spool_acknowledge(reader->reader, g_array_index(ids, guint64, i), NULL);
  fovea_gop_take_back(reader, ids);
}

void fovea_gop_take_back(FoveaGopReader *reader, const GArray *ids) {
  for (guint i = 0; i < ids->len; i++) {
    gint64 id = (gint64)g_array_index(ids, guint64, i);
    g_hash_table_remove(reader->out, &id);
  }
}
