import java.io.File;
import java.security.PublicKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.io.FileInputStream;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.parsers.DocumentBuilderFactory;
import org.w3c.dom.Attr;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NamedNodeMap;
import org.w3c.dom.NodeList;

/** Core validation of our seals by the JDK: VerifySeal CERTIFICATE FILE... prints one line "valid" or "invalid" each. */
public class VerifySeal {
    public static void main(String[] arguments) throws Exception {
        X509Certificate certificate;
        try (FileInputStream in = new FileInputStream(arguments[0])) {
            certificate = (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
        for (int i = 1; i < arguments.length; i++) {
            System.out.println(valid(arguments[i], certificate.getPublicKey()) ? "valid" : "invalid");
        }
    }

    private static boolean valid(String path, PublicKey key) throws Exception {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        Document document = factory.newDocumentBuilder().parse(new File(path));
        Element signature = (Element) document.getDocumentElement().getLastChild();
        DOMValidateContext context = new DOMValidateContext(key, signature);
        markIds(context, document.getDocumentElement());
        XMLSignature parsed = XMLSignatureFactory.getInstance("DOM").unmarshalXMLSignature(context);
        try {
            return parsed.validate(context);
        } catch (javax.xml.crypto.dsig.XMLSignatureException problem) {
            return false;
        }
    }

    private static void markIds(DOMValidateContext context, Element element) {
        NamedNodeMap attributes = element.getAttributes();
        for (int i = 0; i < attributes.getLength(); i++) {
            Attr attribute = (Attr) attributes.item(i);
            if (attribute.getName().equals("Id") || attribute.getName().equals("id")) {
                context.setIdAttributeNS(element, null, attribute.getName());
            }
        }
        NodeList children = element.getChildNodes();
        for (int i = 0; i < children.getLength(); i++) {
            if (children.item(i) instanceof Element) {
                markIds(context, (Element) children.item(i));
            }
        }
    }
}
