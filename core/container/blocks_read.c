#include <stdlib.h>
#include <string.h>

#include "container/blocks.h"
#include "container/format.h"

static int malformed(FvError *err) { return fv_error_set(err, FV_ERR_FORMAT, "section 'graph' is malformed in its list of blocks"); }

static bool read_kind(FvByteReader *reader, FvBlock *block) {
  unsigned form = fv_read_byte(reader), width = form & ~(unsigned)FV_BLOCK_PLANES;
  bool planes = form & FV_BLOCK_PLANES;
  if (width > FV_BLOCK_MAX_WIDTH || width == 0 || (width & (width - 1)) || (planes && width == 1)) return false;
  block->count = fv_read_number(reader);
  block->kind = (FvBlockKind){width, planes, width == 1 ? fv_read_number(reader) : 0};
  block->stream_count = fv_block_streams(block->kind);
  return !reader->failed && block->count > 0 && block->count <= FV_CODER_MAX_COUNT && fv_block_shape(block).count <= FV_CODER_MAX_COUNT && block->kind.row <= block->count;
}

/* The stream begins at the first place behind *end; moves it. */
static bool read_stream(FvByteReader *reader, const FvBlock *block, FvStream *stream, uint64_t section_bytes, uint64_t *end) {
  stream->coder = fv_read_byte(reader);
  stream->size = stream->coder == FV_CODER_NONE ? fv_block_shape(block).count : fv_read_number(reader);
  stream->offset = fv_stream_place(*end, stream->coder, stream->size);
  if (reader->failed || !fv_coder_name((int)stream->coder) || stream->offset > section_bytes || stream->size > section_bytes - stream->offset) return false;
  *end = stream->offset + stream->size;
  return true;
}

int fv_blocks_read(FvByteReader *reader, FvBlock *blocks, uint32_t count, uint64_t section_bytes, FvError *err) {
  uint64_t end = 0, decoded = 0, limit = fv_format_decoded_limit(section_bytes);
  for (uint32_t i = 0; i < count; i++) {
    FvBlock *block = &blocks[i];
    if (!read_kind(reader, block)) return malformed(err);
    for (int k = 0; k < block->stream_count; k++)
      if (!read_stream(reader, block, &block->streams[k], section_bytes, &end)) return malformed(err);
    decoded += block->count * block->kind.width;
    if (decoded > limit)
      return fv_error_set(err, FV_ERR_LIMIT, "section 'weights' would become more than %llu bytes, which is too much for its size", (unsigned long long)limit);
  }
  return end == section_bytes ? 0 : fv_error_set(err, FV_ERR_FORMAT, "section 'weights' has %llu bytes, but its blocks take %llu", (unsigned long long)section_bytes,
                                                 (unsigned long long)end);
}

const uint8_t *fv_block_in_place(const FvBlock *block, const uint8_t *section) {
  return !block->kind.planes && block->streams[0].coder == FV_CODER_NONE ? section + block->streams[0].offset : NULL;
}

/* Bytes of an element from streams of their own. */
static void interleave(const uint8_t *const *planes, unsigned width, uint64_t count, uint8_t *restrict elements) {
  switch (width) {
    case 2:
      for (uint64_t i = 0; i < count; i++) elements[2 * i] = planes[0][i], elements[2 * i + 1] = planes[1][i];
      break;
    case 4:
      for (uint64_t i = 0; i < count; i++)
        elements[4 * i] = planes[0][i], elements[4 * i + 1] = planes[1][i], elements[4 * i + 2] = planes[2][i], elements[4 * i + 3] = planes[3][i];
      break;
    default:
      for (uint64_t i = 0; i < count; i++)
        for (unsigned k = 0; k < width; k++) elements[width * i + k] = planes[k][i];
  }
}

static int decode_planes(const FvBlock *block, const uint8_t *section, uint8_t *elements, FvError *err) {
  const uint8_t *planes[FV_BLOCK_MAX_WIDTH];
  FvCodeShape shape = fv_block_shape(block);
  uint8_t *room = malloc(shape.count * block->kind.width);
  int result = room ? 0 : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  for (int k = 0; result == 0 && k < block->stream_count; k++) {
    const FvStream *stream = &block->streams[k];
    uint8_t *plane = room + shape.count * (size_t)k;
    planes[k] = stream->coder == FV_CODER_NONE ? section + stream->offset : plane;
    if (stream->coder != FV_CODER_NONE) result = fv_coder_decode((int)stream->coder, section + stream->offset, (size_t)stream->size, shape, plane, err);
  }
  if (result == 0) interleave(planes, block->kind.width, block->count, elements);
  free(room);
  return result;
}

int fv_block_decode(const FvBlock *block, const uint8_t *section, uint8_t *elements, FvError *err) {
  const FvStream *stream = &block->streams[0];
  if (block->kind.planes) return decode_planes(block, section, elements, err);
  return fv_coder_decode((int)stream->coder, section + stream->offset, (size_t)stream->size, fv_block_shape(block), elements, err);
}
