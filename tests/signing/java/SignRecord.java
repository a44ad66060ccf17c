import java.io.File;
import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.*;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.*;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.*;

/** Signs a record the way a school's Java software does: JSR 105, the JDK's own provider, DOM. */
public class SignRecord {
    public static void main(String[] a) throws Exception {
        // in out p12 passphrase c14n prefix time place...
        DocumentBuilderFactory f = DocumentBuilderFactory.newInstance();
        f.setNamespaceAware(true);
        Document document = f.newDocumentBuilder().parse(new File(a[0]));
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (FileInputStream in = new FileInputStream(a[2])) { store.load(in, a[3].toCharArray()); }
        String alias = store.aliases().nextElement();
        PrivateKey key = (PrivateKey) store.getKey(alias, a[3].toCharArray());
        X509Certificate certificate = (X509Certificate) store.getCertificate(alias);
        for (int i = 7; i < a.length; i++) sign(document, key, certificate, a[4], a[5], a[6], a[i]);
        var transformer = TransformerFactory.newInstance().newTransformer();
        transformer.setOutputProperty("standalone", "yes");
        transformer.transform(new DOMSource(document), new StreamResult(new File(a[1])));
    }

    static void sign(Document document, PrivateKey key, X509Certificate certificate, String c14n, String prefix,
            String time, String place) throws Exception {
        Element holder = (Element) document.getElementsByTagName(place).item(0);
        Element data = (Element) document.getElementsByTagName("DU_LIEU_HOC_BA").item(0);
        data.setIdAttribute(data.hasAttribute("Id") ? "Id" : "id", true);
        String id = data.hasAttribute("Id") ? data.getAttribute("Id") : data.getAttribute("id");
        XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");
        Element moment = document.createElementNS(XMLSignature.XMLNS, prefix.isEmpty() ? "SigningTime" : prefix + ":SigningTime");
        moment.setTextContent(time);
        SignatureProperty property = factory.newSignatureProperty(
            List.of(new DOMStructure(moment)), "#sig-" + place, "time-" + place);
        XMLObject object = factory.newXMLObject(
            List.of(factory.newSignatureProperties(List.of(property), null)), null, null, null);
        DigestMethod digest = factory.newDigestMethod(DigestMethod.SHA256, null);
        List<Transform> transforms = List.of(factory.newTransform(c14n, (TransformParameterSpec) null));
        SignedInfo info = factory.newSignedInfo(
            factory.newCanonicalizationMethod(c14n, (C14NMethodParameterSpec) null),
            factory.newSignatureMethod("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", null),
            List.of(factory.newReference("#" + id, digest, transforms, null, null),
                    factory.newReference("#time-" + place, digest, transforms, null, null)));
        KeyInfoFactory keys = factory.getKeyInfoFactory();
        var keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(
            List.of(certificate.getSubjectX500Principal().getName(), certificate))));
        DOMSignContext context = new DOMSignContext(key, holder);
        if (!prefix.isEmpty()) context.setDefaultNamespacePrefix(prefix);
        factory.newXMLSignature(info, keyInfo, List.of(object), "sig-" + place, null).sign(context);
    }
}
