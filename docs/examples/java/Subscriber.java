import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Counts the events of every case, and knows the state it is in: each event once in effect.
 *
 * <p>Effects, the ids of the events that had them, and the place to go on from are written in one
 * transaction of one database. So it does not matter when this is killed, when the broker is, or
 * how often an event is told. Kafka's own offsets are not used.
 *
 * <pre>
 * mvn dependency:copy-dependencies -DoutputDirectory=lib
 * java -cp 'lib/*' Subscriber.java broker-1:9092 pmo.events billing billing.db billing-1
 * </pre>
 *
 * <p>Several processes of one group share the partitions, over one database: each with an instance
 * name of its own.
 */
public final class Subscriber implements ConsumerRebalanceListener {

    /** Read again when partitions are assigned: a broker that lost its end has others there now. */
    private static final long BACK = 1_000;

    private final Connection database;
    private final KafkaConsumer<String, byte[]> consumer;

    public static void main(String[] said) throws SQLException {
        if (said.length != 5) {
            System.err.println("Subscriber.java BOOTSTRAP TOPIC GROUP DATABASE INSTANCE");
            System.exit(2);
        }
        new Subscriber(said[0], said[2], said[3], said[4]).run(said[1]);
    }

    private Subscriber(String bootstrap, String group, String file, String instance)
            throws SQLException {
        database = DriverManager.getConnection("jdbc:sqlite:" + file);
        write("PRAGMA busy_timeout = 30000"); // another process of the group may be writing
        write("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)");
        write("CREATE TABLE IF NOT EXISTS place"
            + " (topic TEXT, part INT, next INT, PRIMARY KEY (topic, part))");
        write("CREATE TABLE IF NOT EXISTS cases"
            + " (name TEXT PRIMARY KEY, events INT, version INT, state TEXT)");
        consumer = new KafkaConsumer<>(
            Map.of(
                "bootstrap.servers", bootstrap,
                "group.id", group,
                "enable.auto.commit", false,      // the place is ours to keep
                "auto.offset.reset", "earliest",  // Java's default is latest, and would skip
                "group.instance.id", instance,    // who comes back has its partitions at once,
                "session.timeout.ms", 10_000),    // and who does not loses them after 10 s, not 45
            new StringDeserializer(),
            new ByteArrayDeserializer());
    }

    private void run(String topic) throws SQLException {
        consumer.subscribe(List.of(topic), this);
        while (true) {
            var messages = consumer.poll(Duration.ofSeconds(1));
            if (messages.isEmpty()) continue;
            write("BEGIN IMMEDIATE");
            for (var message : messages) take(message);
            write("COMMIT"); // a death before this line leaves nothing, and the same comes again
        }
    }

    private void take(ConsumerRecord<String, byte[]> message) throws SQLException {
        String id = header(message, "ce_id");
        boolean ours = id != null; // else somebody else writes to the topic, too
        if (ours && write("INSERT OR IGNORE INTO seen VALUES (?)", id) == 1) act(message);
        write("INSERT OR REPLACE INTO place VALUES (?, ?, ?)",
            message.topic(), message.partition(), message.offset() + 1);
    }

    /** Here is what your service does. The version of a case's events is 1, 2, 3, ... */
    private void act(ConsumerRecord<String, byte[]> message) throws SQLException {
        String name = message.key();
        String event = new String(message.value(), StandardCharsets.UTF_8); // JSON: SQLite reads it
        long last = number("SELECT version FROM cases WHERE name = ?", name);
        long version = number("SELECT ? ->> 'version'", event);
        if (version != last + 1 || !name.equals(header(message, "ce_subject")))
            throw new IllegalStateException(name + ": version " + version + " after " + last);
        write("INSERT INTO cases VALUES (?1, 1, ?2, ?3 ->> 'state') ON CONFLICT (name) DO UPDATE"
            + " SET events = events + 1, version = ?2, state = ifnull(?3 ->> 'state', state)",
            name, version, event);
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> assigned) {
        try {
            for (var part : assigned) {
                long next = number("SELECT next FROM place WHERE topic = ? AND part = ?",
                    part.topic(), part.partition());
                consumer.seek(part, Math.max(0, next - BACK));
            }
        } catch (SQLException error) {
            throw new IllegalStateException(error);
        }
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> revoked) {} // all is committed

    private static String header(ConsumerRecord<?, ?> message, String name) {
        Header found = message.headers().lastHeader(name);
        return found == null ? null : new String(found.value(), StandardCharsets.UTF_8);
    }

    /** How many rows were written. */
    private int write(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = prepare(sql, values)) {
            return statement.execute() ? 0 : statement.getUpdateCount();
        }
    }

    /** The number found, and 0 where there is none. */
    private long number(String sql, Object... values) throws SQLException {
        try (PreparedStatement statement = prepare(sql, values);
                ResultSet found = statement.executeQuery()) {
            return found.next() ? found.getLong(1) : 0;
        }
    }

    private PreparedStatement prepare(String sql, Object... values) throws SQLException {
        PreparedStatement statement = database.prepareStatement(sql);
        for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
        return statement;
    }
}
