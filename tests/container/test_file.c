/* The envelope: damage anywhere is found, and named. */
#include <stdlib.h>
#include <string.h>

#include <glib/gstdio.h>

#include "base/file.h"
#include "container/envelope.h"
#include "container/hash.h"
#include "support.h"

typedef struct Bytes {
  guint8 *data;
  gsize size;
} Bytes;

static Bytes read_file(const char *path) {
  Bytes bytes;
  g_assert_true(g_file_get_contents(path, (char **)&bytes.data, &bytes.size, NULL));
  return bytes;
}

/* The message must name the part that the byte belongs to. */
static const char *part_of(const FvEnvelope *envelope, gsize at) {
  if (at < FV_FORMAT_HEADER_BYTES) return "header";
  if (at < envelope->sections[0].offset) return "section table";
  int i = 0;
  while (i + 1 < envelope->section_count && envelope->sections[i + 1].offset <= at) i++;
  return fv_section_name(envelope->sections[i].type);
}

static int open_memory(const void *data, gsize size, FvError *err) {
  FvModel *model = NULL;
  int result = fv_model_open_memory(data, size, "small.fovea", &fv_model_params(.signature = FV_SIGNATURE_OFF), &model, err);
  fv_model_destroy(&model);
  return result;
}

static void flip_all(const char *path) {
  Bytes file = read_file(path);
  FvEnvelope envelope;
  FvError err;
  g_assert_cmpint(fv_envelope_verify(file.data, file.size, &envelope, &err), ==, 0);
  for (gsize at = 0; at < file.size; at++) {
    file.data[at] ^= (guint8)(1u << at % 8);
    err.message[0] = '\0';
    if (open_memory(file.data, file.size, &err) >= 0) g_error("byte %zu may be changed", at);
    if (!strstr(err.message, part_of(&envelope, at))) g_error("byte %zu: no '%s' in: %s", at, part_of(&envelope, at), err.message);
    file.data[at] ^= (guint8)(1u << at % 8);
  }
  g_assert_cmpint(open_memory(file.data, file.size, &err), ==, 0);
  g_free(file.data);
}

static void test_flips(void) {
  g_autofree char *path = support_small_file("flip.fovea", NULL);
  flip_all(path);
}

/* With streams of several coders in it. */
static void test_flips_coded(void) {
  g_autofree char *path = support_path("flip-coded.fovea");
  FvModel *model = support_levels_model();
  FvError err;
  if (fv_container_write(model, path, &(FvContainerParams){.decode_ms = -1}, &err) < 0) g_error("%s", err.message);
  fv_model_destroy(&model);
  flip_all(path);
}

static void test_flips_signed(void) {
  g_autofree char *stem = support_path("flipper"), *key = support_path("flipper.key");
  g_assert_cmpint(fv_key_create(stem, FV_KEY_SIGNING, NULL), ==, 0);
  g_autofree char *path = support_small_file("flip-signed.fovea", &(FvContainerParams){.sign_key = key});
  flip_all(path);
}

static void test_truncation(void) {
  g_autofree char *path = support_small_file("cut.fovea", NULL), *cut = support_path("cut-short.fovea");
  Bytes file = read_file(path);
  FvEnvelope envelope;
  g_assert_cmpint(fv_envelope_verify(file.data, file.size, &envelope, NULL), ==, 0);
  for (gsize size = 0; size < file.size; size++) {
    FvError err = {0};
    guint8 *exact = g_memdup2(file.data, size); /* so that a sanitizer sees the end */
    g_assert_cmpint(open_memory(exact, size, &err), ==, FV_ERR_FORMAT);
    if (!strstr(err.message, "truncated") || !strstr(err.message, part_of(&envelope, size))) g_error("%zu bytes: %s", size, err.message);
    g_free(exact);
  }
  for (gsize size = 0; size < file.size; size += 97) { /* from a file, in chunks */
    FvContainerInfo info;
    FvError err = {0};
    g_assert_true(g_file_set_contents(cut, (const char *)file.data, (gssize)size, NULL));
    g_assert_cmpint(fv_container_verify(cut, NULL, &info, &err), ==, FV_ERR_FORMAT);
    g_assert_nonnull(strstr(err.message, part_of(&envelope, size)));
  }
  g_free(file.data);
}

static void test_bytes_behind(void) {
  g_autofree char *path = support_small_file("long.fovea", NULL);
  Bytes file = read_file(path);
  FvError err = {0};
  file.data = g_realloc(file.data, file.size + 64);
  memset(file.data + file.size, 0, 64);
  g_assert_cmpint(open_memory(file.data, file.size + 64, &err), ==, FV_ERR_FORMAT);
  g_assert_nonnull(strstr(err.message, "behind the last section"));
  g_free(file.data);
}

/* Sections of other sizes than one model gives: across chunks, empty, ends at and beside the alignment. */
static void test_sizes(void) {
  g_autofree char *path = support_path("sizes.fovea");
  static const gsize sizes[] = {0, 1, 63, 64, 65, 65535, 65536, 65537, 200000};
  guint8 *data = g_malloc(200000);
  for (gsize i = 0; i < 200000; i++) data[i] = (guint8)(i * 31 + 7);
  for (gsize k = 0; k < G_N_ELEMENTS(sizes) * FV_CODER_COUNT; k++) {
    gsize i = k % G_N_ELEMENTS(sizes), coder = k / G_N_ELEMENTS(sizes);
    FvCoderLimits coders = {.allowed = 1u << coder};
    if (!fv_coder_name((int)coder)) continue;
    FvDraft drafts[] = {{FV_SECTION_GRAPH, 0, data, sizes[i], coders}, {FV_SECTION_WEIGHTS, 0, data, sizes[G_N_ELEMENTS(sizes) - 1 - i], coders}};
    FvEnvelope envelope;
    FvEnvelopeNotes notes;
    FvPlain plain;
    FvError err;
    g_assert_cmpint(fv_envelope_write(path, drafts, 2, NULL, &err), ==, 0);
    g_assert_cmpint(fv_envelope_verify_file(path, &envelope, &notes, &err), ==, 0);
    Bytes file = read_file(path);
    g_assert_cmpint(fv_envelope_verify(file.data, file.size, &envelope, &err), ==, 0);
    g_assert_cmpint(fv_section_open(&envelope, file.data, FV_SECTION_WEIGHTS, false, &plain, &err), ==, 0);
    g_assert_cmpmem(plain.data, plain.size, drafts[1].data, drafts[1].size);
    free(plain.owned);
    g_assert_cmpint(fv_section_open(&envelope, file.data, FV_SECTION_DESCRIPTION, false, &plain, &err), ==, FV_ERR_FORMAT);
    g_assert_nonnull(strstr(err.message, "description"));
    g_free(file.data);
  }
  g_free(data);
}

/* Changes bytes of header or table and makes the hashes fit again: what is refused then is refused for its meaning. */
static void expect_meaning(gsize at, guint8 value, int code, const char *word) {
  g_autofree char *path = support_small_file("meaning.fovea", &(FvContainerParams){.entropy = "none"});
  Bytes file = read_file(path);
  FvError err = {0};
  gsize count = fv_get_u32(file.data + FV_HEADER_COUNT);
  file.data[at] = value;
  fv_hash("fovea.table", file.data + FV_FORMAT_HEADER_BYTES, count * FV_FORMAT_ENTRY_BYTES, file.data + FV_HEADER_TABLE_HASH);
  fv_hash("fovea.root", file.data, FV_HEADER_ROOT, file.data + FV_HEADER_ROOT);
  int result = open_memory(file.data, file.size, &err);
  if (result != code) g_error("byte %zu set to %u: %d: %s", at, value, result, err.message);
  if (!strstr(err.message, word)) g_error("no '%s' in: %s", word, err.message);
  g_free(file.data);
}

static void test_meaning(void) {
  gsize table = FV_FORMAT_HEADER_BYTES;
  expect_meaning(FV_HEADER_VERSION, 1, FV_ERR_UNSUPPORTED, "version 1");
  expect_meaning(FV_HEADER_FLAGS, 1, FV_ERR_UNSUPPORTED, "features (0x1)");
  expect_meaning(FV_HEADER_COUNT, 0, FV_ERR_LIMIT, "0 sections");
  expect_meaning(FV_HEADER_COUNT + 1, 1, FV_ERR_LIMIT, "sections, not 1 to 16");
  expect_meaning(FV_HEADER_SIGNATURE_KIND, 1, FV_ERR_FORMAT, "signature");
  expect_meaning(FV_HEADER_SIGNATURE_KIND, 9, FV_ERR_UNSUPPORTED, "kind of signature, 9");
  expect_meaning(table, 99, FV_ERR_UNSUPPORTED, "type 99");
  expect_meaning(table + 4, 0x12, FV_ERR_UNSUPPORTED, "flags 0x12");
  expect_meaning(table + 8, 77, FV_ERR_UNSUPPORTED, "coded in a way (77)");
  expect_meaning(table + 17, 9, FV_ERR_FORMAT, "wrong about section 'graph'");
  expect_meaning(table + 30, 64, FV_ERR_LIMIT, "section 'graph' has more than");
  expect_meaning(table + 32, 1, FV_ERR_FORMAT, "size of section 'graph'");
  expect_meaning(table + FV_FORMAT_ENTRY_BYTES, FV_SECTION_GRAPH, FV_ERR_FORMAT, "'graph' twice");
}

/* A type that this version does not know is passed over when it need not be understood. */
static void test_unknown_section(void) {
  g_autofree char *path = support_small_file("unknown.fovea", NULL);
  Bytes file = read_file(path);
  gsize count = fv_get_u32(file.data + FV_HEADER_COUNT), last = FV_FORMAT_HEADER_BYTES + (count - 1) * FV_FORMAT_ENTRY_BYTES;
  FvError err = {0};
  fv_set_u32(file.data + last, 1000);
  fv_set_u32(file.data + last + 4, 0);
  fv_hash("fovea.table", file.data + FV_FORMAT_HEADER_BYTES, count * FV_FORMAT_ENTRY_BYTES, file.data + FV_HEADER_TABLE_HASH);
  fv_hash("fovea.root", file.data, FV_HEADER_ROOT, file.data + FV_HEADER_ROOT);
  if (open_memory(file.data, file.size, &err) < 0) g_error("%s", err.message);
  g_free(file.data);
}

static void test_atomic(void) {
  g_autofree char *path = support_small_file("atomic.fovea", NULL), *nowhere = support_path("no-folder/x.fovea");
  Bytes before = read_file(path), after;
  FvModel *model = support_small_model();
  FvError err = {0};
  g_assert_cmpint(fv_container_write(model, path, &(FvContainerParams){.sign_key = "/nonexistent.key"}, &err), ==, FV_ERR_IO);
  after = read_file(path);
  g_assert_cmpmem(before.data, before.size, after.data, after.size);
  g_assert_cmpint(fv_container_write(model, nowhere, NULL, &err), ==, FV_ERR_IO);
  g_autofree char *folder = g_path_get_dirname(path);
  GDir *entries = g_dir_open(folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name(entries));) g_assert_false(g_str_has_prefix(name, "atomic.fovea."));
  g_dir_close(entries);
  fv_model_destroy(&model);
  g_free(before.data);
  g_free(after.data);
}

static void test_notes(void) {
  static const FvNote accuracy[] = {{"metric", "mAP"}, {"before", "22.9"}, {"after", "22.7"}};
  g_autofree char *path = support_small_file("notes.fovea", &(FvContainerParams){.accuracy = accuracy, .accuracy_count = 3, .command = "fovea compress 'a b'"});
  FvContainerInfo info;
  FvError err;
  g_assert_cmpint(fv_container_verify(path, NULL, &info, &err), ==, 0);
  g_assert_cmpint(info.accuracy_count, ==, 3);
  g_assert_cmpstr(info.accuracy[2].key, ==, "after");
  g_assert_cmpstr(info.accuracy[2].value, ==, "22.7");
  g_assert_cmpstr(info.provenance[0].key, ==, "source");
  g_assert_cmpstr(info.provenance[0].value, ==, "small.onnx");
  bool command = false;
  for (int i = 0; i < info.provenance_count; i++) command |= g_str_equal(info.provenance[i].value, "fovea compress 'a b'");
  g_assert_true(command);
  g_assert_cmpint(info.signature, ==, FV_SIGNATURE_NONE);
  fv_container_info_finish(&info);
  FvModel *model = support_small_model();
  FvNote bad = {"metric", "a\nb"};
  g_assert_cmpint(fv_container_write(model, path, &(FvContainerParams){.accuracy = &bad, .accuracy_count = 1}, &err), ==, FV_ERR_LIMIT);
  fv_model_destroy(&model);
}

static void test_scores(void) {
  static const FvNote calibration[] = {{"pictures", "64"}};
  FvScoreHistogram scores[2] = {{.group = "all"}, {.group = "person"}};
  for (int bin = 0; bin < FV_SCORE_BINS; bin++) scores[0].counts[bin] = (int64_t)1 << bin % 63, scores[1].counts[bin] = bin * 1000;
  g_autofree char *path = support_small_file("scores.fovea", &(FvContainerParams){.scores = scores, .score_count = 2, .calibration = calibration, .calibration_count = 1});
  FvContainerInfo info;
  FvError err;
  if (fv_container_verify(path, NULL, &info, &err) < 0) g_error("%s", err.message);
  g_assert_cmpint(info.calibration_count, ==, 1);
  g_assert_cmpstr(info.calibration[0].value, ==, "64");
  g_assert_cmpint(info.score_count, ==, 2);
  for (int i = 0; i < 2; i++) {
    g_assert_cmpstr(info.scores[i].group, ==, scores[i].group);
    g_assert_cmpmem(info.scores[i].counts, sizeof info.scores[i].counts, scores[i].counts, sizeof scores[i].counts);
  }
  fv_container_info_finish(&info);
  FvModel *model = support_small_model();
  scores[1].counts[3] = -1;
  g_assert_cmpint(fv_container_write(model, path, &(FvContainerParams){.scores = scores, .score_count = 2}, &err), ==, FV_ERR_INVALID);
  scores[0].group = "";
  g_assert_cmpint(fv_container_write(model, path, &(FvContainerParams){.scores = scores, .score_count = 2}, &err), ==, FV_ERR_LIMIT);
  fv_model_destroy(&model);
}

static void test_recognised(void) {
  g_autofree char *path = support_small_file("is.fovea", NULL), *text = support_path("text.fovea");
  g_assert_true(fv_container_is(path));
  g_assert_true(g_file_set_contents(text, "not a model", -1, NULL));
  g_assert_false(fv_container_is(text));
  support_expect(text, NULL, FV_ERR_FORMAT, "text.fovea", "truncated within the header", NULL);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/container/file/a-flip-of-any-byte-is-refused-by-name", test_flips);
  g_test_add_func("/container/file/a-flip-of-any-byte-of-a-signed-file", test_flips_signed);
  g_test_add_func("/container/file/a-flip-of-any-byte-of-coded-weights", test_flips_coded);
  g_test_add_func("/container/file/truncation-at-any-byte-is-refused-by-name", test_truncation);
  g_test_add_func("/container/file/bytes-behind-the-end", test_bytes_behind);
  g_test_add_func("/container/file/sections-of-all-sizes", test_sizes);
  g_test_add_func("/container/file/what-fits-its-hash-is-still-checked", test_meaning);
  g_test_add_func("/container/file/unknown-sections-are-passed-over", test_unknown_section);
  g_test_add_func("/container/file/writing-is-atomic", test_atomic);
  g_test_add_func("/container/file/notes", test_notes);
  g_test_add_func("/container/file/calibration-and-scores", test_scores);
  g_test_add_func("/container/file/recognised-by-its-first-bytes", test_recognised);
  int result = g_test_run();
  support_finish();
  return result;
}
