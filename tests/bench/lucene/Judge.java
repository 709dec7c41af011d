// A real Lucene 8 (Debian's liblucene8-java) on the same words: the judge of tests/bench/search.py.
//
// Words come already folded and split at white space, so that only expansion and ranking are compared. Commands on
// standard input, one a line: "hits" prints for each query its best ten as id:score, "run" prints each query's nanoseconds
// by the clock and of the processor.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import org.apache.lucene.analysis.core.WhitespaceAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.StoredField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.BooleanClause;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.DisjunctionMaxQuery;
import org.apache.lucene.search.FuzzyQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.Query;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.store.MMapDirectory;

public class Judge {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final String[] FIELDS = {"first", "last", "email"};

    public static void main(String[] arguments) throws Exception {
        IndexSearcher searcher = new IndexSearcher(index(Paths.get(arguments[0]), Paths.get(arguments[2])));
        List<Query> queries = new ArrayList<>();
        for (String line : Files.readAllLines(Paths.get(arguments[1]))) {
            queries.add(query(line.split("\t", -1)));
        }
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
        for (String command = commands.readLine(); command != null; command = commands.readLine()) {
            for (Query query : queries) {
                long began = System.nanoTime();
                long worked = THREADS.getCurrentThreadCpuTime();
                ScoreDoc[] found = searcher.search(query, 10).scoreDocs;
                long cpu = THREADS.getCurrentThreadCpuTime() - worked;
                long took = System.nanoTime() - began;
                System.out.println(command.equals("run") ? took + " " + cpu : listed(searcher, found));
            }
            System.out.println("done");
            System.out.flush();
        }
    }

    private static DirectoryReader index(Path rows, Path directory) throws Exception {
        long began = System.nanoTime();
        MMapDirectory files = new MMapDirectory(directory);
        int count = 0;
        try (IndexWriter writer = new IndexWriter(files, new IndexWriterConfig(new WhitespaceAnalyzer()))) {
            for (String line : Files.readAllLines(rows)) {
                String[] cells = line.split("\t", -1);
                Document document = new Document();
                document.add(new StoredField("id", cells[0]));
                for (int field = 0; field < FIELDS.length; field++) {
                    document.add(new TextField(FIELDS[field], cells[field + 1], Field.Store.YES));
                }
                writer.addDocument(document);
                count++;
            }
            writer.commit();
        }
        System.out.println((long) (count / ((System.nanoTime() - began) / 1e9)));
        System.out.flush();
        return DirectoryReader.open(files);
    }

    /** Elasticsearch's multi_match, best_fields, fuzziness AUTO. */
    private static Query query(String[] cells) {
        List<Query> fields = new ArrayList<>();
        for (int field = 0; field < FIELDS.length; field++) {
            BooleanQuery.Builder any = new BooleanQuery.Builder();
            for (String term : cells[field].split(" ")) {
                if (!term.isEmpty()) {
                    int length = term.codePointCount(0, term.length());
                    int edits = length < 3 ? 0 : length < 6 ? 1 : 2;
                    any.add(new FuzzyQuery(new Term(FIELDS[field], term), edits, 0, 50, true), BooleanClause.Occur.SHOULD);
                }
            }
            fields.add(any.build());
        }
        return new DisjunctionMaxQuery(fields, 0f);
    }

    private static String listed(IndexSearcher searcher, ScoreDoc[] found) throws Exception {
        StringBuilder line = new StringBuilder();
        for (ScoreDoc hit : found) {
            line.append(searcher.doc(hit.doc).get("id")).append(':').append(hit.score).append(' ');
        }
        return line.toString().trim();
    }
}
