#include <stdlib.h>

#include "base/file.h"
#include "container/byte_io.h"
#include "container/envelope.h"
#include "container/hash.h"
#include "container/keys.h"
#include "container/seal.h"

typedef struct Writer {
  const FvDraft *drafts;
  int count;
  uint8_t *head;      /* header, section table and the zeros behind them */
  size_t head_bytes;
  FvSection sections[FV_FORMAT_MAX_SECTIONS];
  FvBytes coded[FV_FORMAT_MAX_SECTIONS];   /* empty for coder none */
  uint8_t *sealed[FV_FORMAT_MAX_SECTIONS]; /* encrypted bytes, or NULL */
  FvError *err;
} Writer;

static const void *plain(const Writer *writer, int index) {
  return writer->sections[index].coder ? writer->coded[index].data : writer->drafts[index].data;
}
static const void *stored(const Writer *writer, int index) { return writer->sealed[index] ? writer->sealed[index] : plain(writer, index); }

/* Chooses the coder of every section; its size stands in coded, for none in the draft. */
static int code_drafts(Writer *writer) {
  int result = 0;
  for (int i = 0; result == 0 && i < writer->count; i++) {
    const FvDraft *draft = &writer->drafts[i];
    FvCoderId coder = FV_CODER_NONE;
    bool codable = draft->size > 0 && draft->size <= FV_CODER_MAX_COUNT && draft->coders.allowed != 1u << FV_CODER_NONE;
    if (codable) result = fv_coder_choose(&draft->coders, draft->data, (FvCodeShape){.count = draft->size}, &writer->coded[i], &coder, writer->err);
    writer->sections[i].coder = coder;
  }
  return result;
}

static int seal_drafts(Writer *writer) {
  uint8_t key[FV_KEY_BYTES];
  bool have_key = false;
  int result = 0;
  for (int i = 0; result == 0 && i < writer->count; i++) {
    if (!(writer->drafts[i].flags & FV_SECTION_ENCRYPTED)) continue;
    if (!have_key) result = fv_key_from_environment(key, writer->err);
    have_key = true;
    if (result < 0) break;
    writer->sealed[i] = malloc((size_t)writer->sections[i].stored_bytes);
    if (!writer->sealed[i]) result = fv_error_set(writer->err, FV_ERR_NO_MEMORY, "out of memory");
    else fv_seal(&writer->sections[i], plain(writer, i), key, writer->sealed[i]);
  }
  sodium_memzero(key, sizeof key);
  return result;
}

static uint64_t lay_out(Writer *writer) {
  uint64_t offset = writer->head_bytes;
  for (int i = 0; i < writer->count; i++) {
    const FvDraft *draft = &writer->drafts[i];
    bool encrypted = draft->flags & FV_SECTION_ENCRYPTED;
    uint32_t coder = writer->sections[i].coder;
    size_t size = coder ? writer->coded[i].size : draft->size;
    writer->sections[i] = (FvSection){.type = draft->type, .flags = draft->flags | FV_SECTION_MUST_UNDERSTAND, .coder = coder, .offset = offset,
                                      .stored_bytes = size + (encrypted ? FV_FORMAT_SEAL_BYTES : 0), .decoded_bytes = draft->size};
    offset = fv_format_align(offset + writer->sections[i].stored_bytes);
  }
  return offset;
}

static void write_entry(uint8_t *at, const FvSection *section) {
  fv_set_u32(at, section->type);
  fv_set_u32(at + 4, section->flags);
  fv_set_u32(at + 8, section->coder);
  fv_set_u64(at + 16, section->offset);
  fv_set_u64(at + 24, section->stored_bytes);
  fv_set_u64(at + 32, section->decoded_bytes);
  memcpy(at + 48, section->digest, sizeof section->digest);
}

/* Root and signature. sign_key NULL takes a signature away. */
static int finish_header(uint8_t *header, const char *sign_key, FvError *err) {
  uint8_t seed[FV_KEY_BYTES], secret[crypto_sign_SECRETKEYBYTES];
  memset(header + FV_HEADER_KEY, 0, FV_HEADER_RESERVED - FV_HEADER_KEY);
  fv_set_u32(header + FV_HEADER_SIGNATURE_KIND, sign_key ? 1 : 0);
  fv_hash("fovea.root", header, FV_HEADER_ROOT, header + FV_HEADER_ROOT);
  if (!sign_key) return 0;
  int result = fv_key_read_secret(sign_key, FV_KEY_SIGNING, seed, err);
  if (result == 0) {
    crypto_sign_seed_keypair(header + FV_HEADER_KEY, secret, seed);
    crypto_sign_detached(header + FV_HEADER_SIGNATURE, NULL, header, FV_HEADER_SIGNATURE, secret);
  }
  sodium_memzero(seed, sizeof seed);
  sodium_memzero(secret, sizeof secret);
  return result;
}

static int write_head(Writer *writer, uint64_t file_bytes, const char *sign_key) {
  uint8_t *header = writer->head, *table = header + FV_FORMAT_HEADER_BYTES;
  for (int i = 0; i < writer->count; i++) {
    fv_section_hash(stored(writer, i), (size_t)writer->sections[i].stored_bytes, writer->sections[i].digest);
    write_entry(table + (size_t)i * FV_FORMAT_ENTRY_BYTES, &writer->sections[i]);
  }
  memcpy(header, FV_FORMAT_MAGIC, 8);
  fv_set_u32(header + FV_HEADER_VERSION, FV_FORMAT_VERSION);
  fv_set_u64(header + FV_HEADER_SIZE, file_bytes);
  fv_set_u32(header + FV_HEADER_COUNT, (uint32_t)writer->count);
  fv_hash("fovea.table", table, (size_t)writer->count * FV_FORMAT_ENTRY_BYTES, header + FV_HEADER_TABLE_HASH);
  return finish_header(header, sign_key, writer->err);
}

static int write_file(const Writer *writer, const char *path) {
  static const uint8_t zeros[FV_FORMAT_ALIGN];
  FvFilePart parts[1 + 2 * FV_FORMAT_MAX_SECTIONS];
  int count = 0;
  parts[count++] = (FvFilePart){writer->head, writer->head_bytes};
  for (int i = 0; i < writer->count; i++) {
    uint64_t bytes = writer->sections[i].stored_bytes;
    parts[count++] = (FvFilePart){stored(writer, i), (size_t)bytes};
    parts[count++] = (FvFilePart){zeros, (size_t)(fv_format_align(bytes) - bytes)};
  }
  return fv_file_write(path, FV_FILE_REPLACE, parts, count, writer->err);
}

int fv_envelope_write(const char *path, const FvDraft *drafts, int count, const char *sign_key, FvError *err) {
  size_t bytes = (size_t)fv_format_align(FV_FORMAT_HEADER_BYTES + (uint64_t)count * FV_FORMAT_ENTRY_BYTES);
  Writer writer = {.drafts = drafts, .count = count, .head_bytes = bytes, .head = calloc(bytes, 1), .err = err};
  int result = writer.head ? fv_sodium_ready(err) : fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  if (result == 0) result = code_drafts(&writer);
  if (result == 0) {
    uint64_t file_bytes = lay_out(&writer);
    if (file_bytes > (uint64_t)FV_MAX_MODEL_BYTES)
      result = fv_error_set(err, FV_ERR_LIMIT, "%s would have %llu bytes, more than the %lld allowed", path, (unsigned long long)file_bytes,
                            (long long)FV_MAX_MODEL_BYTES);
    if (result == 0) result = seal_drafts(&writer);
    if (result == 0) result = write_head(&writer, file_bytes, sign_key);
    if (result == 0) result = write_file(&writer, path);
  }
  for (int i = 0; i < count; i++) {
    free(writer.sealed[i]);
    fv_bytes_finish(&writer.coded[i]);
  }
  free(writer.head);
  return result;
}

int fv_container_sign(const char *path, const char *sign_key, FvError *err) {
  void *data;
  size_t size;
  FvEnvelope envelope;
  if (!path || !sign_key) return fv_error_set(err, FV_ERR_INVALID, "a file and a key are needed");
  int result = fv_file_read(path, FV_MAX_MODEL_BYTES, &data, &size, err);
  if (result < 0) return result;
  result = fv_envelope_verify(data, size, &envelope, err);
  if (result < 0)
    fv_error_prefix(err, "%.256s", path);
  else
    result = finish_header(data, sign_key, err);
  if (result == 0) result = fv_file_write(path, FV_FILE_REPLACE, &(FvFilePart){data, size}, 1, err);
  free(data);
  return result;
}
